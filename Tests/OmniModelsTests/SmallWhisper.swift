import Foundation

/// A Whisper without layers in CTranslate2's form, of width 2 and with 3 tokens; and what whisper.cpp's file of it is.
struct SmallWhisper {
    private var variables: [(name: String, dims: [Int], values: [UInt16])] = [
        ("encoder/position_encodings/encodings", [1, 2], [0x3c00, 0xc000]), ("encoder/conv1/weight", [2, 1, 1], [1, 2]),
        ("encoder/conv1/bias", [2], [0x3800, 0]), ("encoder/conv2/weight", [2, 2, 1], [3, 4, 5, 6]),
        ("encoder/conv2/bias", [2], [0, 0x3c00]),
        ("encoder/layer_norm/gamma", [2], [0x3c00, 0x3c00]), ("encoder/layer_norm/beta", [2], [0, 0]),
        ("decoder/position_encodings/encodings", [1, 2], [0, 0]), ("decoder/embeddings/weight", [3, 2], [1, 2, 3, 4, 5, 6]),
        ("decoder/layer_norm/gamma", [2], [0x4000, 0x3c00]), ("decoder/layer_norm/beta", [2], [0, 0]),
    ]

    static let weights = SmallWhisper().data

    /// Sizes as whisper.cpp's file begins with: the magic, tokens, the sound's window, width, heads, layers, and the same for text.
    static let head = numbers([0x6767_6d6c, 3, 1, 2, 1, 0, 1, 2, 1, 0, 1, 1], as: Int32.self) + Data("filters and words".utf8)

    /// Written by hand from the layout of whisper.cpp's files: rank, length of the name, type (0: f32, 1: f16), dims from the innermost.
    static let file: Data = {
        func tensor(_ name: String, _ dims: [Int], f32 values: [Float]) -> Data {
            numbers([dims.count, name.utf8.count, 0] + dims, as: Int32.self) + Data(name.utf8)
                + numbers(values.map { Int($0.bitPattern) }, as: UInt32.self)
        }
        func tensor(_ name: String, _ dims: [Int], f16 values: [Int]) -> Data {
            numbers([dims.count, name.utf8.count, 1] + dims, as: Int32.self) + Data(name.utf8) + numbers(values, as: UInt16.self)
        }
        return head + tensor("encoder.positional_embedding", [2, 1], f32: [1, -2])
            + tensor("encoder.conv1.weight", [1, 1, 2], f16: [1, 2])
            + tensor("encoder.conv1.bias", [1, 2], f32: [0.5, 0]) + tensor("encoder.conv2.weight", [1, 2, 2], f16: [3, 4, 5, 6])
            + tensor("encoder.conv2.bias", [1, 2], f32: [0, 1]) + tensor("encoder.ln_post.weight", [2], f32: [1, 1])
            + tensor("encoder.ln_post.bias", [2], f32: [0, 0]) + tensor("decoder.positional_embedding", [2, 1], f32: [0, 0])
            + tensor("decoder.token_embedding.weight", [2, 3], f16: [1, 2, 3, 4, 5, 6]) + tensor("decoder.ln.weight", [2], f32: [2, 1])
            + tensor("decoder.ln.bias", [2], f32: [0, 0])
    }()

    mutating func add(_ name: String, _ dims: [Int], _ values: [UInt16]) { variables.append((name, dims, values)) }
    mutating func remove(_ name: String) { variables.removeAll { $0.name == name } }

    /// A `model.bin` of version 6.
    var data: Data {
        func text(_ text: String) -> Data { Self.numbers([text.utf8.count + 1], as: UInt16.self) + Data(text.utf8) + [0] }
        var data = Self.numbers([6], as: UInt32.self) + text("WhisperSpec") + Self.numbers([3, variables.count], as: UInt32.self)
        for variable in variables {
            data += text(variable.name) + [UInt8(variable.dims.count)] + Self.numbers(variable.dims, as: UInt32.self)
            data +=
                [4] + Self.numbers([variable.values.count * 2], as: UInt32.self)
                + Self.numbers(variable.values.map(Int.init), as: UInt16.self)
        }
        return data + Self.numbers([0], as: UInt32.self)
    }

    private static func numbers<Number: FixedWidthInteger>(_ values: [Int], as type: Number.Type) -> Data {
        values.reduce(into: Data()) { data, value in
            withUnsafeBytes(of: Number(truncatingIfNeeded: value).littleEndian) { data.append(contentsOf: $0) }
        }
    }
}
