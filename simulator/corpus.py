"""The prose that answers are made of, written for this product: plain sentences about many things, by topic.

A sentence begins with a capital and ends with a full stop, question mark or exclamation mark; no line break inside one.
"""

from __future__ import annotations

from collections.abc import Mapping

_WEATHER = """
The rain came in from the west and stayed for most of the afternoon. By evening the clouds had thinned, and the light
over the hills was the colour of weak tea. A forecast is a statement about chances, not a promise. When the pressure
falls quickly, the wind usually follows within a few hours. The coldest part of the night is often just after sunrise.
Fog forms when moist air cools to the point at which it can hold no more water. In the mountains the weather can
change in the time it takes to lace a boot. Most of the snow had melted by the end of March, and the river was high.
It is worth looking at the sky before you look at the screen. The storm passed to the north of us, so we only heard
it. A dry summer is hard on the trees that were planted in the spring. The barometer on the wall has been right more
often than the radio. There was frost on the grass this morning, but the sun took it before nine. In Zürich the Föhn
makes people restless, or so they say. The old fishermen at São Vicente read the swell before they read the wind.
"""

_KITCHEN = """
Salt the water before the pasta goes in, not after. A heavy pan holds its heat, and that is most of the secret. Let
the dough rest for at least half an hour, because the flour needs time to take up the water. The onions should be soft
and golden before you add anything else. If the sauce is too thin, let it simmer without a lid for a few minutes.
Taste it, wait a moment, and taste it again. Bread keeps best in a cloth, in a place that is neither warm nor damp. A
sharp knife is safer than a blunt one, since it goes where you want it to go. The crème brûlée needs a low oven and a
good deal of patience. You can make the soup a day ahead; it will be better for it. Measure the flour by weight if you
want the same result every time. The simplest dishes are the hardest to hide behind. Roast the peppers until the skin
is black, then leave them under a bowl until it comes off by itself. Jalapeños vary a lot, so start with half of one.
Serve it at once, while the edges are still crisp.
"""

_SOFTWARE = """
The function returns early when the list is empty. Write the test first, and let it fail for the reason that you
expect. A good error message names the place, says what it found there and tells you what would have been allowed. The
cache is bounded by size, so that a busy day does not become a long night. Every retry should wait a little longer
than the one before it. If two parts of the program must agree on a value, only one of them should own it. The build
was green, but nobody had looked at what it built. It is easier to add a feature to a program that is small than to
remove one from a program that is large. Names are the cheapest documentation that you will ever write. The server
reads the request, decides what to do with it and writes the answer. A queue hides the fact that the system is too
slow until the queue is full. Most of the time is spent waiting for the network, not in the code that you are about to
rewrite. Log the decision, not the fact that the line was reached. The **timeout** belongs to the caller, because only
the caller knows how long the answer is worth having. Use `--dry-run` before you let the script delete anything. When
the test is flaky, the program usually is, too. We measured before and after the change, and the difference was
smaller than the noise. Keep the interface narrow and the data plain.
"""

_HISTORY = """
The town grew up around the ford, long before there was a bridge. For two hundred years the market was held on a
Tuesday. The records of that period are thin, because most of the archive was lost in a fire. What we know of the
journey comes from a single letter, written in haste. The canal was finished in the autumn, a year late and at twice
the cost. Coins found in the field suggest that the road was in use much earlier than the maps say. The railway
changed the valley more than any war had done. In the old photographs the square is full of horses, and nobody is
looking at the camera. The treaty was signed in the morning and broken before the end of the week. Historians still
disagree about the reason for the retreat. The library kept its own list of what it had lent, and that list is now
worth more than the books. The harbour silted up slowly, and the trade moved to the next town along the coast. A map
is an argument about what matters. The mill ran until the winter of 1911, when the dam gave way. François kept a diary
for forty years and wrote almost nothing about himself.
"""

_SCIENCE = """
Light takes a little more than eight minutes to come from the sun to the earth. The experiment was repeated three
times, with the same result each time. A model is useful when it is wrong in ways that do not matter. Water is densest
at about 4 °C, which is why lakes freeze from the top. The sample was small, so the interval around the estimate is
wide. Plants turn towards the light because the cells on the dark side grow faster. The mass of the moon is about one
part in eighty of the mass of the earth. If the theory is right, the curve should bend at this point, and it does.
Sound travels faster in water than in air, and faster still in steel. The instrument drifts by about 0.3 % in an hour,
so it has to be set again before each run. Correlation is where the question starts, not where it ends. Bacteria
divide, and in a warm dish they can do so every twenty minutes. The angle α is small, so sin α is close to α itself. A
careful measurement of the wrong quantity is still a measurement of the wrong quantity. Half of the atoms will have
decayed by then, but nobody can say which half. Friction is what lets us walk across the room.
"""

_TRAVEL = """
The train leaves at ten past seven from the far platform. Bring a coat, even if the morning is warm. The path follows
the river for the first hour and then climbs through the woods. From the top you can see the whole of the valley and,
on a clear day, the sea. We stayed in a small house at the end of the lane, where the road turns into a track. The
ferry runs twice a day in the summer and once a week in the winter. Ask for the room at the back, which is quieter.
The last bus had gone, so we walked. It is a good idea to carry some cash, since the card reader in the village shop
often does not work. The border is marked by a line of white stones and a very bored dog. At the café on the corner
they know everybody by name. The museum is closed on Mondays, and so is the bakery. Take the left turn after the
church, not the one before it. There is a shorter way, but the longer one is worth it. The ticket is valid until the
end of the day. We arrived in 東京 late in the evening and ate 🍜 standing up.
"""

_GARDEN = """
Plant the bulbs in the autumn, about three times as deep as they are tall. The soil here is heavy, so it helps to work
in some sand. Water early in the morning, before the sun is on the leaves. The beans climb whatever you give them, and
then they climb the neighbour's fence. A garden is never finished, which is the point of it. Cut the roses back hard
in the spring and do not feel sorry for them. The bees come for the lavender and stay for the thyme. Slugs will find
the lettuce before you do. Leave a corner of the garden to itself, and see who moves in. The apple tree was here
before the house. Compost is patience in a box. If the leaves turn yellow from the bottom, the plant is asking for
food. Sow a short row every two weeks, so that you are not buried in radishes all at once. The frost took the first
tomatoes, but the second sowing did well. Mulch keeps the water in and the weeds down. It was a good year for plums.
"""

_WORK = """
The meeting should have been a letter, and the letter should have been a sentence. Decide who decides before you
discuss the decision. The plan was to finish by Friday, which left no time for anything to go wrong. Write down what
was agreed, and send it to everyone who was there. The first draft is for you, and the second one is for the reader. A
short list of things that we will not do is worth more than a long list of things that we might. The budget was cut by
a third, so we cut the scope by half. Ask for the number behind the adjective. If nobody is against the proposal,
nobody has read it. The customer did not want a drill, and did not really want a hole either. Take the difficult call
in the morning. Most of the delay came from waiting for an answer to a question that was never asked. The report is
due at the end of the month, but the figures will not be ready until the week after. Give people the reason, and they
will find a better way than yours. She left the company in the spring and took the good ideas with her. It helps to
sleep on it.
"""

_MUSIC = """
The piece begins quietly, with the cello alone. Practise it slowly until it is boring, and then a little longer. The
hall was half empty, but it sounded as if it were full. A rest is a note that you do not play. The second movement is
in a minor key, though you would not know it from the tempo. He tuned the old piano by ear, one string at a time. The
choir breathes together before it sings together. When the drums drop out, you notice how much they were holding up.
The melody comes back at the end, higher and slower than before. Most of what sounds like talent is a good teacher and
a great many afternoons. The recording was made in one take, because there was no money for two. Listen to the bass,
and the rest will make sense. She learned the song from her grandmother, who had changed the words. The violin was
made in Füssen and has been repaired more often than the bridge. Count the bars ♪ and trust the count.
"""

_CITY = """
The street is quiet before six and never again until midnight. They moved the stop to the other side of the square,
and for weeks people waited in the wrong place. A city is a machine for meeting people by accident. The park was laid
out when there were still cows in it. From the bridge you can see both of the stations and neither of the trains. The
market opens at five, and the best fish is gone by half past. Rents went up faster than wages in every year but one.
The new library has more chairs than books, and all of the chairs are taken. Cycling is the quickest way across the
centre, if you do not mind the cobbles. The lights on the avenue are timed for a speed that nobody drives. In August
the whole quarter is closed, and the pigeons look surprised. The tower is 93 metres high and leans a little to the
south. There is a bench on the corner where the same two men have argued for years. The river divides the town, and
the tram holds it together. The kiosk sells newspapers in eleven languages.
"""

_ADVICE = """
Start with the part that you understand. It depends on what you want to keep, so decide that first. There are three
things to consider here, and the order matters. A good rule of thumb is to change one thing at a time. If you are not
sure, try the smaller version and see what happens. In short, both approaches work, but they fail in different ways.
The first option is faster, and the second one is easier to undo. That said, it is worth checking whether the problem
is still there. You do not need to get it right at once; you need to be able to see when it is wrong. As a next step,
write down the steps that you took. Here is what I would do in your place. The short answer is yes, with one
exception. Before you begin, make a copy of everything that you would miss. It is better to ask a simple question than
to guess at a complicated one. In practice the difference is small, and most people never notice it. Let me know if
you would like more detail on any of these points. On the other hand, the simple solution has been working for years.
What would have to be true for this to be a good idea? Keep going, you are closer than you think!
"""

_BOOKS = """
The book is about a man who waits, and it makes you wait with him. Read the last page of a chapter twice. The
translation is plain, which suits it. A novel can be long, but a paragraph has to earn its place. The author never
tells you the name of the town, and after a while you stop asking. It was out of print for years, and then everybody
had read it. The first sentence promises more than the rest of the book can pay. Poems are best read aloud, in an
empty room if need be. The letters are better than the novels, because she did not think that anyone was watching.
There is a map at the front and a list of the dead at the back. The story is told by the one person who was not there.
I lent it to a friend, and it came back with notes in the margin. The cover is ugly, and the paper is cheap, and I
would not part with it. He writes as if each word had to be paid for. An index is a portrait of the reader that the
author had in mind.
"""

TOPICS: Mapping[str, str] = {
    "weather": _WEATHER,
    "kitchen": _KITCHEN,
    "software": _SOFTWARE,
    "history": _HISTORY,
    "science": _SCIENCE,
    "travel": _TRAVEL,
    "garden": _GARDEN,
    "work": _WORK,
    "music": _MUSIC,
    "city": _CITY,
    "advice": _ADVICE,
    "books": _BOOKS,
}

BLOCKS: tuple[str, ...] = (
    "## What to keep in mind",
    "## A few details",
    "### How it works",
    "### In more detail",
    "- Start small.\n- Measure before you change anything.\n- Keep what works.",
    "- the path along the river\n- the old mill\n- the café at the station",
    "- **Cost:** low at first, then rising.\n- **Time:** about two weeks.\n- **Risk:** small, if you keep a copy.",
    "1. Read the whole text once.\n2. Mark what you do not understand.\n3. Ask about that first.",
    "1. Heat the oven to 220 °C.\n2. Dust the board with flour.\n3. Shape the dough and let it rise.",
    "- [x] write the test\n- [ ] make it pass\n- [ ] tidy up",
    "```python\ndef mean(values):\n    if not values:\n        return 0.0\n    return sum(values) / len(values)\n```",
    '```json\n{\n  "name": "example",\n  "count": 3,\n  "tags": ["small", "plain"]\n}\n```',
    '```sh\nfor name in *.txt; do\n  wc -w "$name"\ndone\n```',
    "| month | rain (mm) | days |\n|---|---|---|\n| April | 41 | 9 |\n| May | 58 | 12 |\n| June | 77 | 11 |",
    "> The map is not the territory, but it is what you have in your pocket.",
    "> “Ce qui se conçoit bien s'énonce clairement.” — Boileau",
    "In other words:",
    "日本語では「一期一会」と言います。",
    "По-русски говорят: тише едешь — дальше будешь.",
    "✅ done · ⏳ waiting · ❌ dropped",
)
"""Markdown and other scripts, each a paragraph of its own between paragraphs of prose."""

LOREM: tuple[str, ...] = (
    """
Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore magna
aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat. Duis
aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur. Excepteur sint occaecat
cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est laborum. Sed ut perspiciatis unde omnis
iste natus error sit voluptatem accusantium doloremque laudantium. Nemo enim ipsam voluptatem quia voluptas sit aspernatur
aut odit aut fugit. Neque porro quisquam est, qui dolorem ipsum quia dolor sit amet. Quis autem vel eum iure reprehenderit
qui in ea voluptate velit esse. Totam rem aperiam, eaque ipsa quae ab illo inventore veritatis. Ut labore et dolore magnam
aliquam quaerat voluptatem. Itaque earum rerum hic tenetur a sapiente delectus. Temporibus autem quibusdam et aut officiis
debitis.
""",
    """
Vestibulum ante ipsum primis in faucibus orci luctus et ultrices. Curabitur non nulla sit amet nisl tempus convallis quis
ac lectus. Praesent sapien massa, convallis a pellentesque nec, egestas non nisi. Mauris blandit aliquet elit, eget
tincidunt nibh pulvinar a. Donec rutrum congue leo eget malesuada. Vivamus suscipit tortor eget felis porttitor volutpat.
Pellentesque in ipsum id orci porta dapibus. Nulla quis lorem ut libero malesuada feugiat. Cras ultricies ligula sed magna
dictum porta. Proin eget tortor risus. Quisque velit nisi, pretium ut lacinia in, elementum id enim. Sed porttitor lectus
nibh, at tempor magna convallis quis.
""",
)
"""Placeholder Latin after Cicero, as printers have used it since the 1500s."""
