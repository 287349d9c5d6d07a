import Foundation

/// What a `ggml-*.bin` file of whisper.cpp's says about itself, read without whisper.cpp: it ends the process, or reads past the end, where
/// a file is not what it should be.
public struct WhisperFile: Sendable, Equatable {
    public var vocabulary: Int
    public var audioLayers: Int
    public var textLayers: Int
    /// Bands of the spectrogram that it hears.
    public var bands: Int
    public var fileSize: Int64

    /// `ggml` in the first four bytes.
    private static let magic: UInt32 = 0x6767_6D6C

    /// Nil for a file that is no Whisper of whisper.cpp's; a VAD of its begins with the same four bytes. Only the first bytes are read.
    public init?(url: URL) throws {
        var input = try GGUFInput(url: url, chunk: 4096)
        guard input.remaining >= 48, try input.integer(UInt32.self) == Self.magic else { return nil }
        var sizes: [Int] = []
        for _ in 0..<11 { sizes.append(Int(try input.integer(Int32.self))) }
        // Tokens, contexts, widths, heads and layers of any Whisper that there may be.
        let ranges = [
            50_000...60_000, 1500...1500, 64...8192, 1...128, 1...256, 448...448, 64...8192, 1...128, 1...256, 80...128, 0...10_000,
        ]
        guard zip(sizes, ranges).allSatisfy({ $1.contains($0) }) else { return nil }
        (vocabulary, audioLayers, textLayers, bands, fileSize) = (sizes[0], sizes[4], sizes[8], sizes[9], input.fileSize)
    }

    /// Languages other than English were learned.
    public var isMultilingual: Bool { vocabulary >= 51_865 }

    /// OpenAI's name of the size: `tiny`, `base.en`, `large-v3-turbo`; what a distilled one was made of.
    public var size: String {
        let large = bands == 128 ? "large-v3" : "large"
        let name =
            switch (audioLayers, textLayers) {
            case (4, _): "tiny"
            case (6, _): "base"
            case (12, _): "small"
            case (24, _): "medium"
            case (32, 4): "large-v3-turbo"
            case (32, _): large
            default: "of \(audioLayers) and \(textLayers) layers"
            }
        return isMultilingual ? name : name + ".en"
    }

    /// Walks through the whole file: throws ``GGUFError`` where a length passes the end, or a weight has an unknown type.
    public static func check(_ url: URL) throws {
        var input = try GGUFInput(url: url)
        try input.skip((48, false))
        let bands = try input.integer(Int32.self), bins = try input.integer(Int32.self)
        guard (1...128).contains(bands), (1...1024).contains(bins) else { throw GGUFError("its mel filters are \(bands) by \(bins)") }
        try input.skip((Int(bands) * Int(bins) * 4, false))
        let words = try input.integer(Int32.self)
        guard (0...60_000).contains(words) else { throw GGUFError("it claims \(words) words") }
        for _ in 0..<words { try input.skip((Int(try input.integer(UInt32.self)), false)) }
        var tensors = 0
        while input.remaining > 0 {
            let dimensions = try input.integer(Int32.self), length = try input.integer(Int32.self), type = try input.integer(UInt32.self)
            guard (1...4).contains(dimensions), (1...256).contains(length), let block = TensorBlock.byType[type] else {
                throw GGUFError("its tensor \(tensors) is damaged")
            }
            var shape: [Int64] = []
            for _ in 0..<dimensions { shape.append(Int64(try input.integer(Int32.self))) }
            guard shape.allSatisfy({ $0 > 0 }), let bytes = block.bytes(shape: shape) else {
                throw GGUFError("its tensor \(tensors) is damaged")
            }
            try input.skip((Int(length), false))
            try input.skip((Int(bytes), false))
            tensors += 1
        }
        // An encoder's layer has 15, a decoder's 24.
        guard let header = try WhisperFile(url: url), tensors >= header.audioLayers * 15 + header.textLayers * 24 else {
            throw GGUFError("it has \(tensors) tensors and lacks others: it is cut short")
        }
    }
}
