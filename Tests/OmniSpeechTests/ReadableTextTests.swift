import Testing

@testable import OmniSpeech

@Suite("What is read of a text that was written to be seen")
struct ReadableTextTests {
    /// The units, a silence as its seconds.
    func read(_ text: String, language: String? = "en-us") -> [String] {
        let text = SpeechText(text, language: language)
        let first = text.leadingSilence > 0 ? ["\(text.leadingSilence)"] : []
        return first + text.units.flatMap { [$0.text] + ($0.silence.map { ["\($0)"] } ?? []) }
    }

    @Test(
        "Markdown",
        arguments: [
            ("Read [the docs](https://x.y/a_(b)?c=d \"Title\") now.", ["Read the docs now."]),
            ("![a cat](c.png) and [![its name](i.png)](https://x)", ["a cat and its name"]),
            ("See [this][1] and [that].\n\n[1]: https://a.b\n[that]: /x", ["See this and that."]),
            ("a[0] and [1] (see note), [not a link] (x)", ["a[0] and [1] (see note), [not a link] (x)"]),
            ("The word[^1].\n\n[^1]: The note.", ["The word.", "The note."]),
            (
                "~~gone~~ but ~5 stays, `a` and **b** and \\*c\\* and snake_case 5 * 3",
                ["gone but ~5 stays, a and b and *c* and snake_case 5 * 3"]
            ),
            ("# Title #\ntext\n#1 fan", ["Title", "text number 1 fan"]),
            (
                "> a quote\n> goes on\n\n```swift\nlet x = 1\n```\n---\n- [x] done\n+ item",
                ["a quote goes on", "let x = 1", "done", "item"]
            ),
            ("| name | age |\n|---|:-:|\n| Ann | 7 |", ["name, age", "Ann, 7"]),
            ("<https://a.b/c> or <me@x.org>", ["https://a.b/c or me@x.org"]),
        ])
    func markdown(text: String, units: [String]) { #expect(read(text) == units) }

    @Test(
        "HTML",
        arguments: [
            (
                "<p>Hello <b>bold</b> &amp; AT&T; x &lt; y &#8217;&#x41;&eacute;</p><p>Next<br>line</p>",
                ["Hello bold & AT&T; x < y ’Aé", "Next line"]
            ),
            ("a < b and c > d, if a<b and c>d; I <3 you", ["a < b and c > d, if a<b and c>d; I <3 you"]),
            ("vector<int> v; List<String> w", ["vector<int> v; List<String> w"]),
            ("<think class=\"x\">hm</think> yes", ["hm yes"]),
            ("<script>alert(1 < 2)</script>It<!-- not --> is <![CDATA[a <b> c]]>.", ["It is a <b> c."]),
            ("<ul><li>one</li><li>two</li></ul><img src=x alt=\"A dog\">", ["one", "two", "A dog"]),
            ("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>", ["漢字"]),
            ("an <i>open tag and </b> one closed", ["an open tag and one closed"]),
            ("cut <a href=\"x", ["cut <a href=\"x"]),
        ])
    func html(text: String, units: [String]) { #expect(read(text).map { $0.replacing(#/ +/#, with: " ") } == units) }

    @Test(
        "SSML",
        arguments: [
            ("<speak>Hi.<break time=\"500ms\"/> You<break strength='strong'/>there</speak>", ["Hi.", "0.5", "You", "0.7", "there"]),
            ("<speak><break time=\"1.5s\"/>Go.<break time=\"99s\"/></speak>", ["1.5", "Go.", "10.0"]),
            ("<break time='1s'/><break time='2s'/>a<break time='x'/>", ["3.0", "a", "0.4"]),
            ("the <sub alias=\"World Wide Web\">WWW</sub>", ["the World Wide Web"]),
            ("<say-as interpret-as=\"characters\">CAT5b</say-as>, <say-as interpret-as='digits'>123</say-as>", ["C.A.T, 5, b, 1 2 3"]),
            ("the <say-as interpret-as='ordinal'>22</say-as>, <say-as interpret-as='fraction'>2/3</say-as>", ["the 22nd, two thirds"]),
            ("<say-as interpret-as='date' format='ymd'>2026-01-02</say-as>", ["2026-01-02"]),
            (
                "<speak version=\"1.1\"><s>One.</s><emphasis level=\"strong\">so</emphasis> <prosody rate=\"slow\">slow</prosody> <x:y>z</x:y><foo>!</foo></speak>",
                ["One.", "so slow z!"]
            ),
            ("<?xml version=\"1.0\"?><speak>Hello <break/>", ["Hello", "0.4"]),
        ])
    func ssml(text: String, units: [String]) { #expect(read(text) == units) }

    @Test("letters of other forms, in every language", arguments: ["en", "de", nil])
    func letters(language: String?) {
        #expect(read("ＡＢｃ１２＆ 𝐇𝐞𝐥𝐥𝐨 ﬁre Ⅳ ｶﾞ ﻣﺮﺣﺒﺎ", language: language) == ["ABc12& Hello fire IV ガ مرحبا"])
        // Full-width marks end sentences without a space.
        #expect(read("你好。世界！m² x²", language: language) == ["你好。", "世界！", "m² x²"])
    }

    @Test(
        "fractions and number signs are words in English only",
        arguments: [
            (
                "½ cup, 2½ cups, 1 ¾, ⅔; 3⁄4 and 7⁄13",
                "one half cup, 2 and a half cups, 1 and three quarters, two thirds; three quarters and 7 over 13"
            ),
            ("½mile &frac14;", "one half mile one quarter"),
            ("#1 hit, (#2), C#, F#5 and #swift #", "number 1 hit, (number 2), C#, F#5 and hashtag swift #"),
            ("2⁄0 and 12,3⁄4", "2⁄0 and 12,3⁄4"),
        ])
    func words(text: String, spoken: String) {
        #expect(read(text) == [spoken])
        #expect(read(text, language: "de") == [text.replacing("&frac14;", with: "¼")])
        #expect(read(text, language: nil) == read(text, language: "de"))
    }

    @Test(
        "what nobody would write is read to its end in time that grows with its length", .timeLimit(.minutes(10)),
        arguments: [
            "<!--", "<a b=\"", "](", "[", "[a](", "<", "&", "<sub alias=\"a\">", "[[x](y)", "<b ", "</b>", "[a][", "<say-as>",
            "<a b=' <a b=\" ", "<break time='9s'/>a", "\\", "|", "> ",
        ])
    func hostile(part: String) {
        let text = SpeechText(String(repeating: part, count: 60_000 / part.count), language: "en")
        #expect(text.units.allSatisfy { $0.text.unicodeScalars.count <= 300 })
        #expect(text.units.reduce(text.leadingSilence) { $0 + ($1.silence ?? 0) } <= 600)
    }
}
