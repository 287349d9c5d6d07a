import Foundation

/// Base64 as clients write it (RFC 4648): padded or not, in the alphabet for files and URLs too, with line breaks.
public enum Base64 {
    /// Nil for what is no base64, such as a length that no bytes have.
    public static func decode(_ text: String) -> Data? {
        // Foundation reads on after a padding.
        let end = text.utf8.suffix(2), padding = UInt8(ascii: "=")
        let isPlain = !text.utf8.dropLast(2).contains(padding) && !(end.first == padding && end.last != padding)
        if isPlain, let data = Data(base64Encoded: text) { return data }
        var digits: [UInt8] = []
        digits.reserveCapacity(text.utf8.count + 3)
        var isPadding = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
            case UInt8(ascii: "="): isPadding = true
            case _ where isPadding: return nil
            case UInt8(ascii: "-"): digits.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): digits.append(UInt8(ascii: "/"))
            default: digits.append(byte)
            }
        }
        guard digits.count % 4 != 1 else { return nil }
        digits.append(contentsOf: repeatElement(UInt8(ascii: "="), count: (4 - digits.count % 4) % 4))
        return Data(base64Encoded: Data(digits))
    }
}

extension [UInt8] {
    package var base64: String { Data(self).base64EncodedString() }
}
