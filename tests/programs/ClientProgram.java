// A user's program on Java's HttpClient. Where it talks to is the environment's business.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.regex.Pattern;

public class ClientProgram {
    public static void main(String[] arguments) throws Exception {
        String body = "{\"model\": \"gpt-4o-mini\", \"messages\": [{\"role\": \"user\", \"content\": \"java #plain\"}]}";
        HttpRequest request = HttpRequest.newBuilder(URI.create("https://api.openai.com/v1/chat/completions"))
            .header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        var content = Pattern.compile("\"content\": ?\"([^\"]*)\"").matcher(answer.body());
        System.out.println(content.find() ? content.group(1) : answer.statusCode() + " " + answer.body());
    }
}
