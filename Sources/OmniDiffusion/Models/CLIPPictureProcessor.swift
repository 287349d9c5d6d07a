import Foundation
import OmniEngine

/// What CLIP sees of a picture: its shorter side brought to a size, the middle cut out, colors centred (reference:
/// transformers `CLIPImageProcessor`, which has Pillow resize by its bicubic filter in eight bits).
struct CLIPPictureProcessor: Sendable {
    /// `preprocessor_config.json`.
    private struct Config: Decodable {
        struct Size: Decodable {
            let shortest_edge, height, width: Int?
        }

        let size, crop_size: Size
        let image_mean, image_std: [Float]
        let resample: Int?
    }

    /// Pixels of the square that comes out.
    let side: Int
    private let shortest: Int?
    private let mean, deviation: [Float]

    init(_ checkpoint: Checkpoint) throws {
        let config: Config = try checkpoint.config("image_processor", file: "preprocessor_config.json")
        guard let side = config.crop_size.height, side == config.crop_size.width, side > 0, config.image_mean.count == 3,
            config.image_std.count == 3,
            config.resample ?? 3 == 3, (config.size.shortest_edge ?? side) >= side
        else {
            throw DiffusionError.unsupported("the way in which image_processor/preprocessor_config.json wants pictures")
        }
        (self.side, shortest, mean, deviation) = (side, config.size.shortest_edge, config.image_mean, config.image_std)
    }

    /// `[3, side, side]`, channels fastest.
    func pixels(_ picture: FloatImage) -> [Float] {
        let bytes = picture.values.map { ($0 * 255).rounded() }
        let (width, height) = target(picture.width, picture.height)
        let wide = Self.resized(bytes, lines: picture.height, from: picture.width, to: width) { line, place in
            (line * picture.width + place) * 3
        }
        // The result of the first pass lies as lines of `width` pixels.
        let columns = Self.resized(wide, lines: width, from: picture.height, to: height) { line, place in (place * width + line) * 3 }
        let (left, top) = ((width - side) / 2, (height - side) / 2)
        var pixels: [Float] = []
        pixels.reserveCapacity(3 * side * side)
        for y in 0..<side {
            for x in 0..<side {
                for channel in 0..<3 {
                    pixels.append((columns[((left + x) * height + top + y) * 3 + channel] / 255 - mean[channel]) / deviation[channel])
                }
            }
        }
        return pixels
    }

    private func target(_ width: Int, _ height: Int) -> (width: Int, height: Int) {
        guard let shortest else { return (side, side) }
        return width <= height
            ? (shortest, Int(Double(shortest) * Double(height) / Double(width)))
            : (Int(Double(shortest) * Double(width) / Double(height)), shortest)
    }

    /// Lines of pixels of `from` brought to `to`, each value rounded to eight bits as Pillow does between its passes.
    private static func resized(_ values: [Float], lines: Int, from: Int, to: Int, _ first: (_ line: Int, _ place: Int) -> Int) -> [Float] {
        let filters = (0..<to).map { filter(place: $0, from: from, to: to) }
        var result: [Float] = []
        result.reserveCapacity(lines * to * 3)
        for line in 0..<lines {
            for (start, weights) in filters {
                for channel in 0..<3 {
                    var sum = 0.0
                    for (index, weight) in weights.enumerated() { sum += weight * Double(values[first(line, start + index) + channel]) }
                    result.append(Float(min(max((sum + 0.5).rounded(.down), 0), 255)))
                }
            }
        }
        return result
    }

    /// The first pixel that counts for `place`, and the weight of it and of each that follows: Keys' cubic with a = −0.5, as
    /// wide as a pixel of the result.
    private static func filter(place: Int, from: Int, to: Int) -> (start: Int, weights: [Double]) {
        let scale = Double(from) / Double(to)
        let width = max(scale, 1)
        let centre = (Double(place) + 0.5) * scale
        let start = max(0, Int(centre - 2 * width + 0.5))
        let end = min(from, Int(centre + 2 * width + 0.5))
        let weights = (start..<end).map { cubic((Double($0) - centre + 0.5) / width) }
        let sum = weights.reduce(0, +)
        return (start, weights.map { $0 / sum })
    }

    private static func cubic(_ x: Double) -> Double {
        let (a, x) = (-0.5, abs(x))
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
    }
}
