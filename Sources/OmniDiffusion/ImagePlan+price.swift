import OmniEngine
import OmniTensor

extension ImagePlan {
    /// Lists of nodes, threads, and what else does not grow with the picture, bytes.
    private static var overhead: Int { 8 << 20 }

    /// Tokens from which on computing predictions together saves nothing more: products are as fast as they get.
    private static var batchTokens: Int { 1024 }

    /// Bytes of working memory: the largest graph, and the arrays that live beside it. Sets which pictures are tiled, and how many
    /// predictions are computed together.
    ///
    /// - Parameter available: bytes there are; above half of them the autoencoder works in tiles.
    mutating func price(_ family: any DiffusionFamily, _ executor: Executor, tiling: DiffusionOptions.Tiling, available: Int?) throws -> Int {
        let longest = max(tokens.count, negativeTokens.count)
        var shape: [Int] = []
        let text = try executor.price { graph in
            let condition = try family.condition(graph, tokens: [Int](repeating: 0, count: longest))
            shape = condition.shape
            return [condition]
        }
        let condition = Condition(values: [], tokens: longest, shape: shape)
        let vae = family.vae
        func tiles(_ bytes: Int) -> Bool {
            switch tiling {
            case .always: true
            case .never: false
            case .automatic: available.map { bytes > $0 / 2 } ?? false
            }
        }
        var decode = try executor.price { [try vae.decodeGraph($0, latents)] }
        tilesDecode = tiles(decode.total)
        if tilesDecode { decode = try executor.price { [try vae.decodeGraph($0, latents.limited(vae.latentTileSide))] } }
        var encode = GraphPrice()
        if let input {
            let picture = Plane(width: input.width, height: input.height, channels: 3, values: [])
            encode = try executor.price { [try vae.encodeGraph($0, picture)] }
            tilesEncode = tiles(encode.total)
            if tilesEncode { encode = try executor.price { [try vae.encodeGraph($0, picture.limited(vae.tileSide))] } }
        }
        let asks = count * (guidance.needsNegative ? 2 : 1)
        let pixels = latents.width * latents.height * vae.config.scale * vae.config.scale
        let arrays = 4 * (latents.values.count * (6 * count + 2 * asks) + 8 * pixels * 3 + 4 * shape.reduce(1, *))
        let others = text.then(decode).then(encode)
        // As many together as there is memory for.
        batch = max(1, min(asks, Self.batchTokens / (family.pictureTokens(latents) + longest)))
        while true {
            let asked = [ImageAsk](repeating: ImageAsk(latents: latents, condition: condition), count: batch)
            let bytes = try others.then(executor.price { [try family.velocity($0, asked, progress: 0)] }).total + arrays + Self.overhead
            guard batch > 1, let available, bytes > available else { return bytes }
            batch = (batch + 1) / 2
        }
    }
}

extension Plane {
    /// Without values, neither side longer than `side`: for pricing.
    func limited(_ side: Int) -> Plane { Plane(width: min(width, side), height: min(height, side), channels: channels, values: []) }
}
