import OmniAPI

/// What is known of the encoders that turn pictures and sound into vectors of a language model: an mmproj, as libmtmd reads it.
struct Projector: Sendable {
    /// `clip.projector_type`, by which libmtmd knows the networks.
    let name: String
    /// What the names of all tensors of the checkpoint may begin with.
    let prefixes: [String]
    /// Beginnings of the names of its tensors, without the prefix.
    let used: [String]
    /// Refuses what libmtmd would compute differently. All closures get the top of `config.json`.
    let check: @Sendable (Config) throws(ConversionError) -> Void
    /// Keys of the GGUF; `preprocessor` is `preprocessor_config.json`.
    let metadata: @Sendable (_ config: Config, _ preprocessor: Config, inout Metadata) throws(ConversionError) -> Void
    let tensors: [TensorRule]
    let layers: @Sendable (Config) throws(ConversionError) -> [TensorTable.Layers]
    /// Tensors that are computed.
    var generated: @Sendable (Config) throws(ConversionError) -> [TensorPlan] = { _ throws(ConversionError) in [] }
    /// Beginnings of the names of tensors that transformers does not use either.
    var unused: [String] = []

    func table(_ config: Config) throws(ConversionError) -> TensorTable {
        TensorTable(
            network: name, prefixes: prefixes, unused: unused, used: used, generated: try generated(config), tensors: tensors,
            layers: try layers(config))
    }
}

extension Projector {
    /// What libmtmd wants to know of a vision tower. `words` are the tower's own for width, feed-forward, heads and layers.
    static func visionMetadata(
        _ tower: Config, _ preprocessor: Config, width: String, feedForward: String, output: Int, _ metadata: inout Metadata
    )
        throws(ConversionError)
    {
        metadata["clip.has_vision_encoder"] = .bool(true)
        metadata.set("vision.projection_dim", output)
        metadata.set("vision.image_size", tower["image_size"]?.intValue ?? 560)
        metadata.set("vision.patch_size", try tower.integer("patch_size"))
        metadata.set("vision.embedding_length", try tower.integer(width))
        metadata.set("vision.feed_forward_length", try tower.integer(feedForward))
        metadata.set("vision.block_count", try tower.integer("depth"))
        metadata.set("vision.attention.head_count", try tower.integer("num_heads"))
        for (key, name) in [("image_mean", "vision.image_mean"), ("image_std", "vision.image_std")] {
            let values = preprocessor[key]?.arrayValue?.compactMap(\.doubleValue) ?? []
            guard values.count == 3 else {
                throw ConversionError(
                    .damaged, preprocessor.path, "\(key) must be three numbers, and is \(preprocessor[key]?.jsonText ?? "not there").")
            }
            metadata.set(name, .float32s(values.map { Float($0) }))
        }
    }

    /// How many pixels a picture may have, which libmtmd would choose itself: keys that llama.cpp's converter does not write for these.
    static func pixelMetadata(_ preprocessor: Config, _ metadata: inout Metadata) {
        let size = preprocessor["size"]
        let fewest = preprocessor["min_pixels"]?.intValue ?? size?["shortest_edge"]?.intValue
        let most = preprocessor["max_pixels"]?.intValue ?? size?["longest_edge"]?.intValue
        if let fewest, fewest > 0 { metadata.set("vision.image_min_pixels", fewest) }
        if let most, most > 0 { metadata.set("vision.image_max_pixels", most) }
    }
}
