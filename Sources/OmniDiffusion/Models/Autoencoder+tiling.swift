import OmniEngine
import OmniTensor

/// Tiles that overlap and are blended, so that memory does not grow with the picture. As diffusers' `enable_tiling`: each
/// tile is normalized by itself, so the picture differs a little from an untiled one.
extension Autoencoder {
    /// Latents of a tile's side.
    var latentTileSide: Int { tileSide / scale }
    private static var overlap: Double { 0.25 }

    func decodeTiled(_ executor: Executor, _ scope: ComputeScope, _ latents: Plane) throws -> Plane {
        try decodeTiled(executor, scope, latents) { _, _ in }
    }

    func decodeTiled(_ executor: Executor, _ scope: ComputeScope, _ latents: Plane, done: (Int, Int) throws -> Void) throws -> Plane {
        let blend = Int(Double(tileSide) * Self.overlap)
        return try tiled(latents, side: latentTileSide, blend: blend, keep: tileSide - blend, done: done) {
            try decode(executor, scope, $0)
        }
    }

    func encodeTiled(_ executor: Executor, _ scope: ComputeScope, _ picture: Plane) throws -> Plane {
        let blend = Int(Double(latentTileSide) * Self.overlap)
        return try tiled(picture, side: tileSide, blend: blend, keep: latentTileSide - blend) { try encode(executor, scope, $0) }
    }

    private func tiled(
        _ source: Plane, side: Int, blend: Int, keep: Int, done: (Int, Int) throws -> Void = { _, _ in }, _ body: (Plane) throws -> Plane
    ) throws -> Plane {
        let step = max(1, Int(Double(side) * (1 - Self.overlap)))
        let (tops, lefts) = (Array(stride(from: 0, to: source.height, by: step)), Array(stride(from: 0, to: source.width, by: step)))
        var (above, bands): ([Plane], [Plane]) = ([], [])
        for (row, top) in tops.enumerated() {
            var line: [Plane] = []
            var kept: [Plane] = []
            for (column, left) in lefts.enumerated() {
                var tile = try body(source.cropped(left, top, side, side))
                if row > 0 { tile.blendTop(with: above[column], over: blend) }
                if column > 0 { tile.blendLeft(with: line[column - 1], over: blend) }
                line.append(tile)
                kept.append(tile.cropped(0, 0, keep, keep))
                try done(row * lefts.count + column + 1, tops.count * lefts.count)
            }
            bands.append(Plane.joinedSideways(kept))
            above = line
        }
        return Plane.joinedDownwards(bands)
    }
}

extension Plane {
    /// At most `width`×`height` from `left`, `top`.
    func cropped(_ left: Int, _ top: Int, _ width: Int, _ height: Int) -> Plane {
        Plane(width: min(width, self.width - left), height: min(height, self.height - top), channels: channels) {
            self[left + $0, top + $1, $2]
        }
    }

    /// The lower end of `other` fades into the first `extent` rows.
    mutating func blendTop(with other: Plane, over extent: Int) {
        let extent = min(other.height, height, extent)
        for channel in 0..<channels {
            for y in 0..<extent {
                let share = Float(y) / Float(extent)
                for x in 0..<width {
                    self[x, y, channel] = other[x, other.height - extent + y, channel] * (1 - share) + self[x, y, channel] * share
                }
            }
        }
    }

    /// The right end of `other` fades into the first `extent` columns.
    mutating func blendLeft(with other: Plane, over extent: Int) {
        let extent = min(other.width, width, extent)
        for channel in 0..<channels {
            for y in 0..<height {
                for x in 0..<extent {
                    let share = Float(x) / Float(extent)
                    self[x, y, channel] = other[other.width - extent + x, y, channel] * (1 - share) + self[x, y, channel] * share
                }
            }
        }
    }

    static func joinedSideways(_ parts: [Plane]) -> Plane {
        let (height, channels) = (parts.first?.height ?? 0, parts.first?.channels ?? 0)
        var values: [Float] = []
        for channel in 0..<channels {
            for y in 0..<height {
                for part in parts { values += part.values[(channel * height + y) * part.width..<(channel * height + y + 1) * part.width] }
            }
        }
        return Plane(width: parts.reduce(0) { $0 + $1.width }, height: height, channels: channels, values: values)
    }

    static func joinedDownwards(_ parts: [Plane]) -> Plane {
        let (width, channels) = (parts.first?.width ?? 0, parts.first?.channels ?? 0)
        var values: [Float] = []
        for channel in 0..<channels {
            for part in parts { values += part.values[channel * part.height * width..<(channel + 1) * part.height * width] }
        }
        return Plane(width: width, height: parts.reduce(0) { $0 + $1.height }, channels: channels, values: values)
    }
}
