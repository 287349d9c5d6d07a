import OmniAPI
import OmniEngine
import OmniMedia
import OmniRequests

/// Pictures to be drawn, with every choice of the wire's side made.
struct ImageJob: Sendable {
    var prompt: String
    var count: Int
    /// What the pictures will have, whatever the model can draw.
    var size: ImageSize
    var drawing: DrawingParameters
    var extras: ImageExtras
    var seed: UInt64
    var adapters: [ImageAdapter] = []
    /// The picture to start from, of `size`.
    var source: Picture?
    /// Pictures to look at, as the model takes them.
    var references: [Picture] = []
    /// Where to draw anew, one value for each pixel of `size`: 255 draws, 0 keeps.
    var mask: [UInt8]?
    var strength: Double?
    var previews = 0

    /// A seed from the request, or a random one of 32 bits.
    static func seed(_ given: Int?) -> UInt64 { given.map { UInt64(bitPattern: Int64($0)) } ?? UInt64(UInt32.random(in: 0...UInt32.max)) }

    /// What the engine draws: the next larger size on its grid, the input continued by its edges.
    func request(_ defaults: ImageDefaults) -> ImageRequest {
        let grid = size.onGrid(defaults.multiple)
        var request = ImageRequest(prompt: prompt, seed: seed)
        request.negativePrompt = drawing.negativePrompt
        (request.width, request.height) = (grid.width, grid.height)
        request.steps = drawing.steps
        request.guidanceScale = drawing.guidanceScale.map { Float($0) }
        request.trueGuidanceScale = drawing.trueGuidanceScale.map { Float($0) }
        request.guidanceNormalization = Float(extras.guidanceNormalization)
        request.guidanceTruncation = Float(extras.guidanceTruncation)
        request.count = count
        request.strength = strength.map { Float($0) }
        request.previews = previews
        request.adapters = adapters
        request.input = source.flatMap { Self.padded($0.pixels, channels: $0.channels, from: size, to: grid) }
        request.references = references.compactMap { picture in
            let own = ImageSize(width: picture.width, height: picture.height)
            return Self.padded(picture.pixels, channels: picture.channels, from: own, to: own)
        }
        request.mask = mask.flatMap { Self.padded($0, channels: 1, from: size, to: grid) }
        return request
    }

    /// Continued by its edges to the size `grid`.
    static func padded(_ pixels: [UInt8], channels: Int, from size: ImageSize, to grid: ImageSize) -> FloatImage? {
        let values = [Float](unsafeUninitializedCapacity: grid.pixels * channels) { buffer, count in
            pixels.withUnsafeBufferPointer { source in
                var place = 0
                for y in 0..<grid.height {
                    let row = min(y, size.height - 1) * size.width
                    for x in 0..<grid.width {
                        let from = (row + min(x, size.width - 1)) * channels
                        for channel in 0..<channels { buffer[place + channel] = Float(source[from + channel]) / 255 }
                        place += channels
                    }
                }
            }
            count = grid.pixels * channels
        }
        return FloatImage(width: grid.width, height: grid.height, channels: channels, values: values)
    }
}
