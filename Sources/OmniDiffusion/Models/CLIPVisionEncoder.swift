import Foundation
import OmniEngine
import OmniTensor

/// CLIP's vision transformer as an encoder (arXiv:2103.00020; reference: transformers `CLIPVisionModel`, `hidden_states[-2]`):
/// the states of a picture's patches before the last layer, which is never loaded.
struct CLIPVisionEncoder: Sendable {
    /// `config.json`.
    struct Config: Decodable, Sendable {
        let hidden_size: Int
        let intermediate_size: Int
        let num_hidden_layers: Int
        let num_attention_heads: Int
        let image_size: Int
        let patch_size: Int
        let hidden_act: String?
        let layer_norm_eps: Float?

        /// Patches along one side.
        var side: Int { image_size / patch_size }
        /// Patches, and one place for the whole picture.
        var places: Int { side * side + 1 }
    }

    private struct Layer: Sendable {
        let before, after: LayerNorm
        let query, key, value, output, up, down: Linear
    }

    let config: Config
    let processor: CLIPPictureProcessor
    private let whole, kernel, positions: Tensor
    private let norm: LayerNorm
    private let layers: [Layer]

    init(_ config: Config, _ processor: CLIPPictureProcessor, _ store: WeightStore) throws {
        guard ["gelu", "quick_gelu"].contains(config.hidden_act ?? "quick_gelu"), config.patch_size > 0,
            config.image_size % config.patch_size == 0,
            config.num_attention_heads > 0, config.hidden_size % config.num_attention_heads == 0, processor.side == config.image_size
        else {
            throw DiffusionError.unsupported(
                "a CLIP encoder of \(config.image_size) pixels with \(config.hidden_act ?? "quick_gelu") for pictures of \(processor.side)")
        }
        self.config = config
        self.processor = processor
        let (width, inner, epsilon) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps ?? 1e-5)
        let root = Weights(store, store.contains("vision_model.pre_layrnorm.weight") ? "vision_model." : "")
        whole = try root("embeddings.class_embedding", width)
        kernel = try root.at("embeddings.patch_embedding").packed(3, width, taps: config.patch_size * config.patch_size)
        positions = try root("embeddings.position_embedding.weight", width, config.places)
        norm = try LayerNorm(root.at("pre_layrnorm"), width, epsilon: epsilon)
        layers = try (0..<max(0, config.num_hidden_layers - 1)).map { index in
            let layer = root.at("encoder.layers.\(index)")
            let (attention, feed) = (layer.at("self_attn"), layer.at("mlp"))
            return try Layer(
                before: LayerNorm(layer.at("layer_norm1"), width, epsilon: epsilon),
                after: LayerNorm(layer.at("layer_norm2"), width, epsilon: epsilon),
                query: Linear(attention.at("q_proj"), width, width, bias: true),
                key: Linear(attention.at("k_proj"), width, width, bias: true),
                value: Linear(attention.at("v_proj"), width, width, bias: true),
                output: Linear(attention.at("out_proj"), width, width, bias: true),
                up: Linear(feed.at("fc1"), width, inner, bias: true), down: Linear(feed.at("fc2"), inner, width, bias: true))
        }
    }

    /// Which tensors of a checkpoint are used.
    static func uses(_ name: String, layers: Int) -> Bool {
        !name.contains("encoder.layers.\(layers - 1).") && !name.contains("post_layernorm")
    }

    /// States `[hidden_size, places]` of a picture as ``CLIPPictureProcessor`` made it: `[channels, side, side]`, channels fastest.
    func states(_ graph: Graph, pixels: @escaping @autoclosure () -> [Float]) throws -> Tensor {
        let (width, heads, places) = (config.hidden_size, config.num_attention_heads, config.places)
        let picture = try graph.input([3, config.image_size, config.image_size], pixels())
        // A convolution that adds nothing.
        let none = try graph.input([width], [Float](repeating: 0, count: width))
        let patches = try graph.conv3d(
            picture, kernel: kernel, bias: none, window: ConvolutionWindow(size: config.patch_size, stride: config.patch_size))
        let all = try graph.concat([graph.reshape(whole, [width, 1]), graph.reshape(patches, [width, places - 1])], axis: 1)
        let order = try graph.input([places], integers: (0..<Int32(places)).map { $0 })
        var x = try norm(graph, graph.add(all, graph.embedding(positions, ids: order)))
        for layer in layers {
            let normed = try layer.before(graph, x)
            func split(_ linear: Linear) throws -> Tensor { try graph.reshape(linear(graph, normed), [width / heads, heads, places]) }
            let attended = try graph.attention(
                query: split(layer.query), keys: split(layer.key), values: split(layer.value), precision: .exact)
            x = try graph.add(x, layer.output(graph, attended))
            x = try graph.add(x, layer.down(graph, activate(graph, layer.up(graph, layer.after(graph, x)))))
        }
        return x
    }

    private func activate(_ graph: Graph, _ x: Tensor) throws -> Tensor {
        if config.hidden_act == "gelu" { return try graph.geluExact(x) }
        // x · sigmoid(1.702 x).
        return try graph.scale(graph.silu(graph.scale(x, by: 1.702)), by: 1 / 1.702)
    }
}
