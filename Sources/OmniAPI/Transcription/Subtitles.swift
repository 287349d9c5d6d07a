/// Segments as the text of a subtitle file.
public enum Subtitles {
    /// What is shown, from a second to another.
    public struct Cue: Sendable, Equatable {
        public var start: Double
        public var end: Double
        public var text: String

        public init(start: Double, end: Double, text: String) { (self.start, self.end, self.text) = (start, end, text) }
    }

    /// SubRip.
    public static func srt(_ cues: [Cue]) -> String {
        let blocks = shown(cues).enumerated().map { index, cue in
            "\(index + 1)\n\(time(cue.start, ",")) --> \(time(cue.end, ","))\n\(cue.text.replacing("-->", with: "->"))\n"
        }
        return blocks.joined(separator: "\n")
    }

    /// WebVTT.
    public static func vtt(_ cues: [Cue]) -> String {
        let blocks = shown(cues).map { cue in
            let text = cue.text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            return "\n\(time(cue.start, ".")) --> \(time(cue.end, "."))\n\(text)\n"
        }
        return "WEBVTT\n" + blocks.joined()
    }

    /// Without those that say nothing; an empty line would end a cue.
    private static func shown(_ cues: [Cue]) -> [Cue] {
        cues.compactMap { cue in
            let text = cue.text.split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }.filter { !$0.isEmpty }.joined(
                separator: "\n")
            return text.isEmpty ? nil : Cue(start: cue.start, end: max(cue.start, cue.end), text: text)
        }
    }

    /// `01:02:03,004`.
    static func time(_ seconds: Double, _ point: String) -> String {
        let all = Int((max(0, seconds) * 1000).rounded())
        func digits(_ value: Int, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(digits(all / 3_600_000, 2)):\(digits(all / 60_000 % 60, 2)):\(digits(all / 1000 % 60, 2))\(point)\(digits(all % 1000, 3))"
    }
}
