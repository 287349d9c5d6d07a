import CZlib

/// How well a text compresses: a text that says the same over and over compresses far better than others.
func compressionRatio(of text: String) -> Double {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else { return 1 }
    var size = compressBound(UInt(bytes.count))
    var packed = [UInt8](repeating: 0, count: Int(size))
    guard compress(&packed, &size, bytes, UInt(bytes.count)) == Z_OK, size > 0 else { return 1 }
    return Double(bytes.count) / Double(size)
}
