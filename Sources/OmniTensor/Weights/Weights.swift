/// A place in a store's tree of names.
package struct Weights {
    package let store: WeightStore
    package let prefix: String

    package init(_ store: WeightStore, _ prefix: String = "") {
        self.store = store
        self.prefix = prefix
    }

    package func at(_ name: String) -> Weights { Weights(store, prefix + name + ".") }

    /// The tensor `name`, which must have `shape`, fastest axis first.
    package func callAsFunction(_ name: String, _ shape: Int...) throws -> Tensor { try store.tensor(prefix + name, shape) }

    package func contains(_ name: String) -> Bool { store.contains(prefix + name) }
}

/// `x [in, tokens]` to `[out, tokens]`.
package struct Linear: Sendable {
    package let weight: Tensor
    package let bias: Tensor?

    package init(_ weights: Weights, _ inputs: Int, _ outputs: Int, bias: Bool = false) throws {
        weight = try weights("weight", inputs, outputs)
        self.bias = bias ? try weights("bias", outputs) : nil
    }

    package func callAsFunction(_ graph: Graph, _ x: Tensor) throws -> Tensor { try graph.linear(x, weight, bias: bias) }
}
