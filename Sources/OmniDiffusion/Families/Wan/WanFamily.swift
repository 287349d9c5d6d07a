import Foundation
import OmniEngine
import OmniTensor
import OmniTokenizer

/// Wan 2.1 and 2.2: UMT5 as text encoder, one transformer or two experts, a causal 3D autoencoder.
struct WanFamily {
    static func encoder(_ checkpoint: Checkpoint) throws -> (UMT5Encoder, WeightStore) {
        let config: UMT5Encoder.Config = try checkpoint.config("text_encoder")
        let store = try checkpoint.weights("text_encoder") { weights in
            weights.keep = { UMT5Encoder.isTable($0) }
            weights.sparse = { UMT5Encoder.isEmbedding($0) }
        }
        return (try UMT5Encoder(config, store, precision: checkpoint.options.precision), store)
    }

    static func transformer(_ checkpoint: Checkpoint, _ component: String) throws -> (WanTransformer, WeightStore) {
        let config: WanConfig = try checkpoint.config(component)
        try config.check()
        let store = try checkpoint.weights(component) { weights in
            let head = config.head
            weights.order = { WanBlock.order($0, $1, head: head) }
            weights.keep = { WanTransformer.keeps($0) }
        }
        return (try WanTransformer(config, store, precision: checkpoint.options.precision), store)
    }
}
