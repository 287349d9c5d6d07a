import OmniEngine

/// Puts the tokens of a segment together into words, with the times at which they are said.
enum WordTimes {
    /// A token with the time at which it is over.
    struct Token {
        var bytes: [UInt8]
        var end: Double
    }

    /// - Parameters:
    ///   - start: seconds at which the first word may begin.
    ///   - speech: where somebody speaks, seconds: a word does not begin in the pause before it. Empty where nobody knows.
    static func words(_ tokens: [Token], start: Double, end: Double, speech: [ClosedRange<Double>]) -> [TranscriptWord] {
        var words: [TranscriptWord] = [], runs: [Int?] = []
        var begin = start
        for group in groups(tokens) {
            guard let text = text(group) else { continue }
            var over = min(max(group.last?.end ?? begin, begin), max(end, begin))
            let place = speech.lastIndex { $0.lowerBound < over }
            if let place {
                begin = min(max(begin, speech[place].lowerBound), over)
                over = max(min(over, speech[place].upperBound), begin)
            }
            words.append(TranscriptWord(text: text, start: begin, end: over))
            runs.append(place)
            begin = over
        }
        // The last word before a pause goes on until the pause begins: the model looks away from it earlier.
        for (index, place) in runs.enumerated() {
            guard let place, index + 1 == runs.count || runs[index + 1] != place else { continue }
            let pause = min(speech[place].upperBound, end)
            if pause > words[index].end, pause - words[index].end < 1 { words[index].end = pause }
        }
        return words
    }

    /// Tokens that belong to one word: a word begins with a blank. Languages that have none begin one with each whole character.
    private static func groups(_ tokens: [Token]) -> [[Token]] {
        var groups: [[Token]] = []
        var rest: [UInt8] = []
        for token in tokens {
            let isBlank = token.bytes.first == UInt8(ascii: " ")
            // A token may end in the middle of a character.
            let isMiddle = !rest.isEmpty
            rest = isMiddle ? rest + token.bytes : token.bytes
            if String(validating: rest, as: UTF8.self) != nil { rest = [] }
            let joins = isMiddle || !isBlank && (groups.last.map { belongs(token, to: $0) } ?? false)
            if joins, !groups.isEmpty { groups[groups.count - 1].append(token) } else { groups.append([token]) }
        }
        return groups
    }

    /// Whether a token without a blank goes on with the word: letters of scripts that write words apart, figures and marks.
    private static func belongs(_ token: Token, to group: [Token]) -> Bool {
        guard let text = String(validating: token.bytes, as: UTF8.self), let first = text.unicodeScalars.first else { return true }
        let writesTogether =
            (0x2E80...0xD7FF).contains(first.value) || (0xF900...0xFAFF).contains(first.value) || (0x0E00...0x0EFF).contains(first.value)
        return !writesTogether || (0x3000...0x303F).contains(first.value)
    }

    private static func text(_ group: [Token]) -> String? {
        let text = String(decoding: group.flatMap(\.bytes), as: UTF8.self)
        let bare = text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
        return bare.isEmpty ? nil : String(bare)
    }
}
