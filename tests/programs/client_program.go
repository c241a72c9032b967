// A user's program on Go's net/http. Where it talks to is the environment's business.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const body = `{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "go #plain"}]}`

func main() {
	answer, err := http.Post("https://api.openai.com/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(err)
	}
	var completion struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal(data, &completion); err != nil {
		panic(err)
	}
	fmt.Println(completion.Choices[0].Message.Content)
}
