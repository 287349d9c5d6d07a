import OmniEngine
import OmniTensor

/// A frame as the video autoencoder's graphs hold it: `[channels, width, height]`, channels fastest.
struct LatentFrame: Sendable, Equatable {
    var width: Int
    var height: Int
    var channels: Int
    var values: [Float]

    /// A video of this frame alone.
    var shape: [Int] { [channels, width, height, 1] }

    init(width: Int, height: Int, channels: Int, values: [Float]) {
        (self.width, self.height, self.channels, self.values) = (width, height, channels, values)
    }

    /// The frames of `[channels, width, height, frames]`.
    static func split(_ values: [Float], width: Int, height: Int, channels: Int) -> [LatentFrame] {
        let size = width * height * channels
        return stride(from: 0, to: values.count, by: size).map {
            LatentFrame(width: width, height: height, channels: channels, values: Array(values[$0..<$0 + size]))
        }
    }

    // MARK: Pictures

    /// A picture in 0…1 as patches in −1…1: each pixel of a patch has its own channels, color by color, column by column.
    init(_ picture: FloatImage, width: Int, height: Int, patch: Int) throws {
        guard picture.width == width, picture.height == height, picture.channels == 3, width % patch == 0, height % patch == 0 else {
            throw TensorError.shape(
                operation: "encode", reason: "a frame of \(picture.width)×\(picture.height) in a video of \(width)×\(height)")
        }
        let (columns, rows, channels) = (width / patch, height / patch, 3 * patch * patch)
        var values = [Float](repeating: 0, count: width * height * 3)
        Self.eachPixel(columns: columns, rows: rows, patch: patch) { pixel, place in values[place] = 2 * picture.values[pixel] - 1 }
        self.init(width: columns, height: rows, channels: channels, values: values)
    }

    /// The picture in 0…1 that patches make; what is beyond −1…1 is cut off.
    static func picture(_ frame: LatentFrame, patch: Int) throws -> FloatImage {
        var values = [Float](repeating: 0, count: frame.values.count)
        eachPixel(columns: frame.width, rows: frame.height, patch: patch) { pixel, place in
            values[pixel] = min(max(frame.values[place], -1), 1) * 0.5 + 0.5
        }
        guard let picture = FloatImage(width: frame.width * patch, height: frame.height * patch, values: values) else {
            throw TensorError.shape(operation: "decode", reason: "\(frame.channels) channels for patches of \(patch)")
        }
        return picture
    }

    /// Calls `body` with the place of each value in a picture and in its patches.
    static func eachPixel(columns: Int, rows: Int, patch: Int, _ body: (_ pixel: Int, _ place: Int) -> Void) {
        if patch == 1 { return (0..<columns * rows * 3).forEach { body($0, $0) } }
        let (width, channels) = (columns * patch, 3 * patch * patch)
        for y in 0..<rows * patch {
            for x in 0..<width {
                let first = ((y / patch) * columns + x / patch) * channels + (x % patch) * patch + y % patch
                for color in 0..<3 { body((y * width + x) * 3 + color, first + color * patch * patch) }
            }
        }
    }

    // MARK: Latents

    /// `[channels, frames, height, width]` of frames of one size, at least one.
    static func latents(_ frames: [LatentFrame]) throws -> VideoLatents {
        let (width, height, channels) = (frames[0].width, frames[0].height, frames[0].channels)
        let pixels = width * height
        var values = [Float](repeating: 0, count: frames.count * pixels * channels)
        for (index, frame) in frames.enumerated() {
            for pixel in 0..<pixels {
                for channel in 0..<channels {
                    values[(channel * frames.count + index) * pixels + pixel] = frame.values[pixel * channels + channel]
                }
            }
        }
        return try VideoLatents(checked: [channels, frames.count, height, width], values)
    }
}

extension VideoLatents {
    init(checked shape: [Int], _ values: [Float]) throws {
        guard let latents = VideoLatents(shape: shape, values: values) else {
            throw TensorError.shape(operation: "latents", reason: "\(values.count) values are not \(shape)")
        }
        self = latents
    }

    /// One frame of latents.
    func frame(_ index: Int) -> LatentFrame {
        let (channels, frames, height, width) = (shape[0], shape[1], shape[2], shape[3])
        let pixels = width * height
        var values = [Float](repeating: 0, count: pixels * channels)
        for channel in 0..<channels {
            for pixel in 0..<pixels { values[pixel * channels + channel] = self.values[(channel * frames + index) * pixels + pixel] }
        }
        return LatentFrame(width: width, height: height, channels: channels, values: values)
    }
}
