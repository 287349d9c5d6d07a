/// The printable character that stands for each byte in a byte-level vocabulary: itself where it is printable in Latin-1,
/// else the next free one from U+0100.
enum ByteAlphabet {
    static let characters: [Unicode.Scalar] = {
        let printable: Set<UInt32> = Set(0x21...0x7e).union(0xa1...0xac).union(0xae...0xff)
        var free: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            if printable.contains(byte), let scalar = Unicode.Scalar(byte) { return scalar }
            defer { free += 1 }
            return Unicode.Scalar(free) ?? "?"
        }
    }()

    private static let values = Dictionary(uniqueKeysWithValues: characters.enumerated().map { ($1, UInt8($0)) })

    static func bytes(of token: String) -> [UInt8] {
        token.unicodeScalars.flatMap { values[$0].map { [$0] } ?? Array(String($0).utf8) }
    }
}
