import OmniTensor

/// Pictures as videos of one frame: nothing is before them, and nothing is kept for what follows.
extension CausalAutoencoder: Autoencoder {
    var scale: Int { config.scale }
    var latentChannels: Int { config.z_dim }

    func encode(_ executor: Executor, _ scope: ComputeScope, _ picture: Plane) throws -> Plane {
        let frame = LatentFrame(pixels: picture, patch: config.patch)
        let values = try executor.evaluate(scope) { [try encodeGraph($0, frame)] }[0]
        return LatentFrame(width: picture.width / scale, height: picture.height / scale, channels: 2 * config.z_dim, values: values).plane
    }

    func decode(_ executor: Executor, _ scope: ComputeScope, _ latents: Plane) throws -> Plane {
        let values = try executor.evaluate(scope) { [try decodeGraph($0, LatentFrame(latents))] }[0]
        let side = scale / config.patch
        return LatentFrame(width: latents.width * side, height: latents.height * side, channels: config.outputs, values: values).pixels(
            patch: config.patch)
    }

    func encodeMemory(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice {
        let frame = LatentFrame(width: width / config.patch, height: height / config.patch, channels: config.inputs, values: [])
        return try executor.price { [try encodeGraph($0, frame)] }
    }

    func decodeMemory(_ executor: Executor, width: Int, height: Int) throws -> GraphPrice {
        try executor.price { [try decodeGraph($0, LatentFrame(width: width, height: height, channels: config.z_dim, values: []))] }
    }

    private func encodeGraph(_ graph: Graph, _ frame: LatentFrame) throws -> Tensor {
        guard let encoder else { throw DiffusionError.unsupported("encoding with an autoencoder that was loaded for decoding") }
        return try encoder(graph, graph.input(frame.shape, frame.values), .single())
    }

    private func decodeGraph(_ graph: Graph, _ frame: LatentFrame) throws -> Tensor {
        try decoder(graph, graph.input(frame.shape, frame.values), .single())
    }
}

extension LatentFrame {
    /// A picture `[width, height, 3]` as patches: each pixel of a patch has its own channels, color by color, column by column.
    init(pixels picture: Plane, patch: Int) {
        let (columns, rows, area) = (picture.width / patch, picture.height / patch, picture.width * picture.height)
        var values = [Float](repeating: 0, count: picture.values.count)
        Self.eachPixel(columns: columns, rows: rows, patch: patch) { pixel, place in
            values[place] = picture.values[pixel % 3 * area + pixel / 3]
        }
        self.init(width: columns, height: rows, channels: 3 * patch * patch, values: values)
    }

    /// The reverse.
    func pixels(patch: Int) -> Plane {
        let area = width * height * patch * patch
        var pixels = [Float](repeating: 0, count: values.count)
        Self.eachPixel(columns: width, rows: height, patch: patch) { pixel, place in pixels[pixel % 3 * area + pixel / 3] = values[place] }
        return Plane(width: width * patch, height: height * patch, channels: 3, values: pixels)
    }
}
