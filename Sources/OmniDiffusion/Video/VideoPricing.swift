import OmniEngine
import OmniTensor

extension VideoPlan {
    /// Lists of nodes, threads, and what else does not grow with the clip, bytes.
    private static var overhead: Int { 8 << 20 }

    /// Bytes of working memory: the largest graph, and the arrays that live beside it. Sets how graphs and frames are cut.
    ///
    /// - Parameter available: bytes there are; above half of them the autoencoder works in tiles.
    mutating func price(_ family: any VideoFamily, _ executor: Executor, tiling: DiffusionOptions.Tiling, available: Int?) throws -> Int {
        let vae = family.vae
        var (price, texts) = (GraphPrice(), 0)
        if latents == nil {
            price = try executor.price { graph in
                let condition = try family.condition(graph, tokens: [Int](repeating: 0, count: max(tokens.count, negativeTokens.count)))
                texts = condition.count
                return [condition]
            }
            do {
                let step: GraphPrice
                (step, blocksPerGraph) = try family.stepPrice(executor, self)
                price = price.then(step)
            } catch TensorError.tooManyNodes {
                throw ImageModelError.invalid(parameter: "size", reason: "\(width)x\(height) with \(frames) frames is more than one step can compute; ask for less")
            }
            if picture != nil { price = price.then(try family.startPrice(executor, self)) }
        }
        var decode = try vae.decodePrice(executor, width: shape[3], height: shape[2])
        let tiles = switch tiling {
        case .always: true
        case .never: false
        case .automatic: available.map { decode.total > $0 / 2 } ?? false
        }
        if tiles {
            let tiles = FilmTiling()
            self.tiling = tiles
            decode = try vae.decodePrice(executor, width: shape[3], height: shape[2], tiling: tiles)
        }
        // A solver's memory, what goes into the transformer and comes out of it; a chunk of frames.
        let arrays = 4 * (14 * shape.reduce(1, *) + 2 * texts + 3 * 3 * vae.config.frameScale * width * height)
        return price.then(decode).total + arrays + Self.overhead
    }
}

extension AutoencoderKLWan {
    /// What decoding tile by tile takes: each tile keeps what it carries between chunks.
    func decodePrice(_ executor: Executor, width: Int, height: Int, tiling: FilmTiling) throws -> GraphPrice {
        let (side, step) = (max(1, tiling.side / config.scale), max(1, tiling.step / config.scale))
        let tiles = ((width + step - 1) / step) * ((height + step - 1) / step)
        var carried = 0
        var price = try executor.price { graph in
            let memory = FilmMemory.measuring()
            let frames = try decoder(graph, graph.input([config.z_dim, min(width, side), min(height, side), 1], []), memory)
            carried = memory.byteCount
            return [frames]
        }
        price.graph += (tiles - 1) * carried
        return price
    }
}

/// What requests would take, and whether the machine has it.
struct VideoPricing {
    let loaded: EngineCore<any VideoFamily>.Loaded
    let options: DiffusionOptions

    func price(_ request: VideoRequest) throws -> VideoPrice {
        let available = loaded.availableBytes(options)
        let bytes = try plan(request, available).1
        return VideoPrice(bytes: bytes, available: available, largestSide: available.flatMap { largestSide(request, $0, most: longestSide) })
    }

    /// The request's plan, or what is lacking.
    func affordable(_ request: VideoRequest) throws -> VideoPlan {
        let available = loaded.availableBytes(options)
        let (plan, bytes) = try plan(request, available)
        if let available, bytes > available {
            // No square that is longer than the clip takes less.
            throw ImageModelError.memory(needed: bytes, lacking: bytes - available, largestSide: largestSide(request, available, most: max(plan.width, plan.height)))
        }
        return plan
    }

    private func plan(_ request: VideoRequest, _ available: Int?) throws -> (VideoPlan, Int) {
        var plan = try VideoPlan(request, loaded.family)
        let bytes = try plan.price(loaded.family, Executor(loaded.backend, capacity: VideoEngine.nodes), tiling: options.tiling, available: available)
        return (plan, bytes)
    }

    private var longestSide: Int { loaded.family.defaults.longestSide ?? VideoPlan.longestSide }

    private func largestSide(_ request: VideoRequest, _ available: Int, most: Int) -> Int? {
        var square = request
        square.latents = nil
        return largestSquare(multiple: loaded.family.defaults.multiple, most: most, within: available) { side in
            (square.width, square.height) = (side, side)
            if request.picture != nil { square.picture = FloatImage(width: side, height: side, values: [Float](repeating: 0, count: 3 * side * side)) }
            return try? plan(square, available).1
        }
    }
}
