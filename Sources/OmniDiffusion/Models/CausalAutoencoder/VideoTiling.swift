import OmniEngine
import OmniTensor

/// Tiles of a frame that overlap and are blended, so that memory does not grow with the frame. As diffusers' `enable_tiling`.
package struct VideoTiling: Sendable, Equatable {
    /// Pixels of a tile's side, and from one tile to the next.
    var side = 256
    var step = 192

    package init(side: Int = 256, step: Int = 192) { (self.side, self.step) = (side, step) }
}

extension CausalAutoencoder {
    /// One latent frame decoded tile by tile, before patches become pixels. Each tile has a memory of its own.
    func decodeTiles(
        _ executor: Executor, _ scope: ComputeScope, _ latent: LatentFrame, _ tiling: VideoTiling, _ memories: inout [TemporalCache]
    ) throws -> [LatentFrame] {
        let (side, step) = (max(1, tiling.side / config.scale), max(1, tiling.step / config.scale))
        let keep = tiling.step / config.patch
        let blend = tiling.side / config.patch - keep
        let lefts = Array(stride(from: 0, to: latent.width, by: step))
        var (above, bands): ([[Plane]], [[Plane]]) = ([], [])
        for (row, top) in stride(from: 0, to: latent.height, by: step).enumerated() {
            var line: [[Plane]] = []
            for (column, left) in lefts.enumerated() {
                let place = row * lefts.count + column
                if place == memories.count { memories.append(TemporalCache(on: executor.backend)) }
                var tile = try decodeChunk(executor, scope, latent.cropped(left, top, side, side), memories[place]).map(\.plane)
                for frame in tile.indices {
                    if row > 0 { tile[frame].blendTop(with: above[column][frame], over: blend) }
                    if column > 0 { tile[frame].blendLeft(with: line[column - 1][frame], over: blend) }
                }
                line.append(tile)
            }
            bands.append((0..<line[0].count).map { frame in Plane.joinedSideways(line.map { $0[frame].cropped(0, 0, keep, keep) }) })
            above = line
        }
        return (0..<bands[0].count).map { frame in
            LatentFrame(Plane.joinedDownwards(bands.map { $0[frame] }))
        }
    }

    /// What decoding tile by tile takes: each tile keeps what it carries between chunks.
    func decodePrice(_ executor: Executor, width: Int, height: Int, tiling: VideoTiling) throws -> GraphPrice {
        let (side, step) = (max(1, tiling.side / config.scale), max(1, tiling.step / config.scale))
        let tiles = ((width + step - 1) / step) * ((height + step - 1) / step)
        var carried = 0
        var price = try executor.price { graph in
            let memory = TemporalCache.measuring()
            let frames = try decoder(graph, graph.input([config.z_dim, min(width, side), min(height, side), 1], []), memory)
            carried = memory.byteCount
            return [frames]
        }
        price.graph += (tiles - 1) * carried
        return price
    }
}

extension LatentFrame {
    /// At most `width`×`height` from `left`, `top`.
    func cropped(_ left: Int, _ top: Int, _ width: Int, _ height: Int) -> LatentFrame {
        let (columns, rows) = (min(width, self.width - left), min(height, self.height - top))
        let lines = (top..<top + rows).flatMap { row -> ArraySlice<Float> in
            let first = (row * self.width + left) * channels
            return values[first..<first + columns * channels]
        }
        return LatentFrame(width: columns, height: rows, channels: channels, values: lines)
    }

    /// The same, channel by channel.
    var plane: Plane {
        Plane(width: width, height: height, channels: channels) { x, y, channel in values[(y * width + x) * channels + channel] }
    }

    init(_ plane: Plane) {
        var values = [Float](repeating: 0, count: plane.values.count)
        let pixels = plane.width * plane.height
        for channel in 0..<plane.channels {
            for pixel in 0..<pixels { values[pixel * plane.channels + channel] = plane.values[channel * pixels + pixel] }
        }
        self.init(width: plane.width, height: plane.height, channels: plane.channels, values: values)
    }
}
