/// When each sentence of a spoken answer sounds, so that what was heard of it can be told.
struct SpokenTranscript: Equatable {
    private struct Sentence: Equatable {
        var text: String
        /// Milliseconds of the answer's sound.
        var start: Int
        var end: Int
    }

    private var sentences: [Sentence] = []

    /// Milliseconds of sound so far.
    var length: Int { sentences.last?.end ?? 0 }

    /// The next sentence begins to sound.
    mutating func begin(_ text: String) { sentences.append(Sentence(text: text, start: length, end: length)) }

    /// The sound of all sentences lasts so many milliseconds now.
    mutating func extend(to milliseconds: Int) {
        if !sentences.isEmpty { sentences[sentences.count - 1].end = milliseconds }
    }

    /// What was said in the first milliseconds. Of a sentence that was broken off, as many words as its time allowed.
    func heard(_ milliseconds: Int) -> String {
        sentences.compactMap { sentence -> String? in
            guard sentence.start < milliseconds else { return nil }
            guard sentence.end > milliseconds else { return sentence.text }
            let words = sentence.text.split(whereSeparator: \.isWhitespace)
            let count = words.count * (milliseconds - sentence.start) / (sentence.end - sentence.start)
            return count > 0 ? words.prefix(count).joined(separator: " ") : nil
        }.joined(separator: " ")
    }
}
