import OmniEngine
import OmniTensor

extension ImageRecipe {
    /// Tokens from which on computing predictions together saves nothing more: products are as fast as they get.
    private static var batchTokens: Int { 1024 }

    /// What the request takes, and how it is cut so that it fits.
    struct Memory {
        var bytes = 0
        var batch = 1
        var tilesDecode = false
        var tilesEncode = false
    }

    /// Bytes of working memory: the largest graph, and the arrays that live beside it. Where the autoencoder would take more than half of
    /// what there is it works in tiles; as many predictions are computed together as there is memory for.
    func memory(_ context: PlanningContext, edits: Bool) throws -> Memory {
        let executor = try context.executor()
        let (request, shape) = (settings.request, settings.shape)
        let longest = prompts.map(\.count).max() ?? 0
        var states: [Int] = []
        let text = try executor.price { graph in
            let condition = try encode(graph, [Int](repeating: 0, count: longest))
            states = condition.shape
            return [condition]
        }
        let condition = Condition(values: [], tokens: longest, shape: states)
        var memory = Memory()
        func tiled(_ tiles: inout Bool, _ width: Int, _ height: Int, _ side: Int, _ measure: (Executor, Int, Int) throws -> GraphPrice)
            throws -> GraphPrice
        {
            let whole = try measure(executor, width, height)
            tiles = tiles || context.tiles(whole.total)
            return tiles ? try measure(executor, min(width, side), min(height, side)) : whole
        }
        let decoding = try tiled(&memory.tilesDecode, shape.width, shape.height, autoencoder.latentTileSide, autoencoder.decodeMemory)
        let own = edits ? [(settings.width, settings.height)] : []
        var encoding = GraphPrice()
        for (width, height) in own + settings.references.map({ ($0.width, $0.height) }) {
            encoding = encoding.then(try tiled(&memory.tilesEncode, width, height, autoencoder.tileSide, autoencoder.encodeMemory))
        }
        let asks = request.count * prompts.count
        let (pixels, seen) = (settings.width * settings.height, settings.references.reduce(0) { $0 + $1.width * $1.height })
        let (latents, references) = (shape.count, shape.count * seen / pixels)
        let arrays = 4 * (latents * (6 * request.count + 2 * asks) + references * (1 + asks) + 8 * pixels * 3 + 4 * states.reduce(1, *))
        // A prompt can be more tokens to the denoiser than to the tokenizer.
        let tokens = pictureTokens + pictureTokens * seen / pixels + max(longest, states.count > 1 ? states[1] : 0)
        let others = text.then(decoding).then(encoding)
        // A picture of one token alone would be another product than several.
        memory.batch = pictureTokens == 1 ? 1 : max(1, min(asks, Self.batchTokens / tokens))
        while true {
            let asked = [PredictionRequest](repeating: PredictionRequest(latents: [], condition: condition), count: memory.batch)
            memory.bytes = try others.then(executor.price { [try predict($0, asked, 0)] }).total + arrays + PlanningContext.overhead
            guard memory.batch > 1, let available = context.available, memory.bytes > available else { return memory }
            memory.batch = (memory.batch + 1) / 2
        }
    }
}
