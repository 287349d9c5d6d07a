import OmniAPI

/// Ids for requests and replies.
public enum RequestID {
    /// `<prefix><count hex digits>`.
    public static func make(_ prefix: String = "", digits count: Int = 32) -> String {
        var text = prefix
        text.reserveCapacity(prefix.utf8.count + count)
        var generator = SystemRandomNumberGenerator()
        var left = count
        while left > 0 {
            let word = String(generator.next() as UInt64, radix: 16)
            let padded = String(repeating: "0", count: 16 - word.count) + word
            text += padded.prefix(left)
            left -= 16
        }
        return text
    }

    /// A client's id when it is safe to log and to send back: up to 128 visible ASCII characters.
    static func accepted(_ text: String?) -> String? {
        guard let text, !text.isEmpty, text.utf8.count <= 128, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return text
    }
}
