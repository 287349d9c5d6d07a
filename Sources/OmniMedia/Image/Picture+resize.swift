import Foundation

/// How pixels are weighed when a picture changes its size.
public enum ResizeFilter: Sendable {
    case bilinear, bicubic
    /// Lanczos with three lobes: the sharpest; what diffusers uses for its inputs.
    case lanczos

    /// Source pixels on either side, at scale 1.
    fileprivate var support: Double {
        switch self {
        case .bilinear: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    fileprivate func weight(_ distance: Double) -> Double {
        let x = abs(distance)
        switch self {
        case .bilinear: return x < 1 ? 1 - x : 0
        case .bicubic:
            if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
            return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0
        case .lanczos: return x < 3 ? sinc(x) * sinc(x / 3) : 0
        }
    }

    private func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
}

extension Picture {
    /// The picture at another size, pixel for pixel as Pillow 12's `Image.resize` makes it: separable filters in fixed
    /// point, rows first, widened when shrinking so that nothing aliases, alpha multiplied in meanwhile. Sides below 1 count as 1.
    public func resized(width newWidth: Int, height newHeight: Int, filter: ResizeFilter = .lanczos) -> Picture {
        let (newWidth, newHeight) = (max(1, newWidth), max(1, newHeight))
        guard newWidth != width || newHeight != height else { return self }
        var picture = hasAlpha ? premultiplied() : self
        if newWidth != width { picture = picture.filteredRows(FilterTaps(from: width, to: newWidth, filter)) }
        if newHeight != height { picture = picture.filteredColumns(FilterTaps(from: height, to: newHeight, filter)) }
        return hasAlpha ? picture.unpremultiplied() : picture
    }

    private func filteredRows(_ taps: FilterTaps) -> Picture {
        let newWidth = taps.count
        let filtered = [UInt8](unsafeUninitializedCapacity: newWidth * height * channels) { buffer, count in
            pixels.withUnsafeBufferPointer { source in
                taps.withWeights { weights in
                    for y in 0..<height {
                        for x in 0..<newWidth {
                            let (first, length) = (taps.first[x], taps.length[x])
                            for channel in 0..<channels {
                                var sum = FilterTaps.half
                                var place = (y * width + first) * channels + channel
                                for tap in 0..<length {
                                    sum &+= Int32(source[place]) &* weights[x &* taps.most &+ tap]
                                    place &+= channels
                                }
                                buffer[(y * newWidth + x) * channels + channel] = FilterTaps.pixel(sum)
                            }
                        }
                    }
                }
            }
            count = newWidth * height * channels
        }
        return Picture(trusted: filtered, width: newWidth, height: height, channels: channels)
    }

    private func filteredColumns(_ taps: FilterTaps) -> Picture {
        let (newHeight, row) = (taps.count, width * channels)
        let filtered = [UInt8](unsafeUninitializedCapacity: newHeight * row) { buffer, count in
            pixels.withUnsafeBufferPointer { source in
                taps.withWeights { weights in
                    for y in 0..<newHeight {
                        let (first, length) = (taps.first[y], taps.length[y])
                        for x in 0..<row {
                            var sum = FilterTaps.half
                            var place = first * row + x
                            for tap in 0..<length {
                                sum &+= Int32(source[place]) &* weights[y &* taps.most &+ tap]
                                place &+= row
                            }
                            buffer[y * row + x] = FilterTaps.pixel(sum)
                        }
                    }
                }
            }
            count = newHeight * row
        }
        return Picture(trusted: filtered, width: width, height: newHeight, channels: channels)
    }

    private func premultiplied() -> Picture {
        mapAlpha { value, alpha in
            let product = value * alpha + 128
            return UInt8(((product >> 8) + product) >> 8)
        }
    }

    private func unpremultiplied() -> Picture {
        mapAlpha { value, alpha in alpha == 0 || alpha == 255 ? UInt8(value) : UInt8(min(255, 255 * value / alpha)) }
    }

    private func mapAlpha(_ change: (_ value: Int, _ alpha: Int) -> UInt8) -> Picture {
        var changed = self
        changed.pixels.withUnsafeMutableBufferPointer { buffer in
            for place in stride(from: 0, to: buffer.count, by: 4) {
                let alpha = Int(buffer[place + 3])
                for channel in 0..<3 { buffer[place + channel] = change(Int(buffer[place + channel]), alpha) }
            }
        }
        return changed
    }
}

/// For each new pixel of one dimension: the source pixels it is made of, and their weights in fixed point of 22 bits.
private struct FilterTaps {
    static let half: Int32 = 1 << 21
    let count: Int
    /// Most taps that a pixel has: the stride of `weights`.
    let most: Int
    private(set) var first: [Int]
    private(set) var length: [Int]
    private var weights: [Int32]

    init(from size: Int, to count: Int, _ filter: ResizeFilter) {
        let scale = Double(size) / Double(count), widening = max(scale, 1)
        let support = filter.support * widening
        self.count = count
        most = Int(support.rounded(.up)) * 2 + 1
        first = []
        length = []
        weights = [Int32](repeating: 0, count: count * most)
        for place in 0..<count {
            let center = (Double(place) + 0.5) * scale
            let low = max(0, Int(center - support + 0.5)), high = min(size, Int(center + support + 0.5))
            let raw = (low..<high).map { filter.weight((Double($0) - center + 0.5) / widening) }
            let total = raw.reduce(0, +)
            for (tap, weight) in raw.enumerated() {
                let scaled = (total == 0 ? weight : weight / total) * Double(1 << 22)
                weights[place * most + tap] = Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
            }
            first.append(low)
            length.append(high - low)
        }
    }

    func withWeights(_ body: (UnsafeBufferPointer<Int32>) -> Void) { weights.withUnsafeBufferPointer(body) }

    static func pixel(_ sum: Int32) -> UInt8 { UInt8(max(0, min(255, sum >> 22))) }
}
