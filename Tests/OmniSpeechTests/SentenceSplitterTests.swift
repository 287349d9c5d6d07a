import OmniAPI
import OmniEngine
import Testing

@Suite("Sentences")
struct SentenceSplitterTests {
    func units(_ text: String, _ granularity: SplitGranularity = .sentence) -> [String] {
        var splitter = SentenceSplitter(granularity)
        return splitter.push(text) + splitter.flush()
    }

    @Test(
        "cuts at ends of sentences and nowhere else",
        arguments: [
            ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
            ("Dr. Smith paid $3.50 at 10.30 a.m. for it. Good.", ["Dr. Smith paid $3.50 at 10.30 a.m.", "for it.", "Good."]),
            ("Use tools, e.g. hammers. J. R. Brown did.", ["Use tools, e.g. hammers.", "J. R. Brown did."]),
            ("Really?! \"Yes.\" (Well...) So", ["Really?!", "\"Yes.\"", "(Well...)", "So"]),
            ("今日は。元気ですか？はい", ["今日は。", "元気ですか？", "はい"]),
            ("क्या है। ठीक", ["क्या है।", "ठीक"]),
            ("See example.com/a.b for more.Now", ["See example.com/a.b for more.Now"]),
            ("   \n\t ", []), ("", []), ("...", ["..."]), ("one", ["one"]),
        ])
    func sentences(text: String, expected: [String]) {
        // `a.m.` is followed by a sentence or not: without a dictionary of verbs it counts as an end.
        #expect(units(text) == expected)
    }

    @Test("clauses")
    func clauses() {
        #expect(units("First, second; third. 1,000 things，四", .clause) == ["First,", "second;", "third.", "1,000 things，", "四"])
    }

    @Test("none keeps the text whole")
    func whole() {
        #expect(units(" One. Two. ", .none) == ["One. Two."])
    }

    @Test("however the text arrives, the units are the same", arguments: SplitGranularity.allCases)
    func pieces(granularity: SplitGranularity) {
        let text = "He said: \"Stop!\" Then, e.g. at 3.14 m, Mr. X fell…どうも。次は？ e\u{301}te\u{301}. 👩‍👩‍👧. End"
        let expected = units(text, granularity)
        for size in 1...7 {
            var splitter = SentenceSplitter(granularity)
            var found: [String] = []
            let scalars = Array(text.unicodeScalars)
            for start in stride(from: 0, to: scalars.count, by: size) {
                var piece = String.UnicodeScalarView()
                piece.append(contentsOf: scalars[start..<min(start + size, scalars.count)])
                found += splitter.push(String(piece))
            }
            #expect(found + splitter.flush() == expected)
        }
    }

    @Test("a unit that does not end is cut behind a clause, else between words, else anywhere; however it arrives")
    func long() {
        let text =
            "la Belle Étoile, la Belle Étoile, la Belle Étoile and on and on and on without end " + String(repeating: "x", count: 30)
            + ". Yes."
        let expected = [
            "la Belle Étoile,", "la Belle Étoile,", "la Belle Étoile and on", "and on and on without", "end",
            String(repeating: "x", count: 24), "xxxxxx.", "Yes.",
        ]
        for size in 1...text.count {
            var splitter = SentenceSplitter(longest: 24)
            var found: [String] = []
            let characters = Array(text)
            for start in stride(from: 0, to: characters.count, by: size) {
                found += splitter.push(String(characters[start..<min(start + size, characters.count)]))
            }
            #expect(found + splitter.flush() == expected, "\(size)")
        }
        var splitter = SentenceSplitter.ofAnswers
        let endless = (0..<100).flatMap { _ in splitter.push("and so on, ") }
        #expect(endless.count > 4 && endless.allSatisfy { $0.count <= 200 && $0.hasSuffix(",") })
    }

    @Test("a unit comes out as soon as the next character is known")
    func early() {
        var splitter = SentenceSplitter()
        #expect(splitter.push("One.") == [])
        #expect(splitter.push(" T") == ["One."])
        #expect(splitter.push("wo") == [])
        #expect(splitter.flush() == ["Two"])
    }
}
