import CLlama

/// Element by element, and along rows.
extension Graph {
    /// `a + b`; `b` is repeated where its axes are shorter.
    public func add(_ a: Tensor, _ b: Tensor) throws -> Tensor {
        try broadcasts("add", a, b)
        return try node { ggml_add(context, a.raw, b.raw) }
    }

    /// `a · b`, element by element; `b` is repeated where its axes are shorter.
    public func multiply(_ a: Tensor, _ b: Tensor) throws -> Tensor {
        try broadcasts("multiply", a, b)
        return try node { ggml_mul(context, a.raw, b.raw) }
    }

    /// `factor · a + offset`.
    public func scale(_ a: Tensor, by factor: Float = 1, plus offset: Float = 0) throws -> Tensor {
        let source = try contiguous(a)
        return try node { ggml_scale_bias(context, source.raw, factor, offset) }
    }

    /// `x · sigmoid(x)`.
    public func silu(_ a: Tensor) throws -> Tensor {
        let source = try contiguous(a)
        return try node { ggml_silu(context, source.raw) }
    }

    public func tanh(_ a: Tensor) throws -> Tensor {
        let source = try contiguous(a)
        return try node { ggml_tanh(context, source.raw) }
    }

    /// `silu(gate) · up`.
    public func swiGLU(gate: Tensor, up: Tensor) throws -> Tensor {
        try require(gate.dimensions == up.dimensions, "swiGLU", "\(gate.label) and \(up.label)")
        return try node { ggml_swiglu_split(context, gate.raw, up.raw) }
    }

    /// `x · Φ(x)` in its approximation with tanh (arXiv:1606.08415). ggml's own reads a table of f16.
    public func gelu(_ x: Tensor, precision: AttentionPrecision) throws -> Tensor {
        let source = try contiguous(x)
        guard precision == .exact else { return try node { ggml_gelu(context, source.raw) } }
        if let kernels, x.type == .f32 { return try activatedGELU(source, kernels) }
        let (inner, factor) = try geluParts(source)
        let wave = try silu(inner)
        return try node { ggml_div(context, wave.raw, factor.raw) }
    }

    /// `gelu(gate) · up`.
    public func gatedGELU(gate: Tensor, up: Tensor, precision: AttentionPrecision) throws -> Tensor {
        try require(gate.dimensions == up.dimensions, "gatedGELU", "\(gate.label) and \(up.label)")
        guard precision == .exact else { return try node { ggml_geglu_split(context, gate.raw, up.raw) } }
        let (inner, factor) = try geluParts(gate)
        let lowered = try node { ggml_div(context, up.raw, factor.raw) }
        return try swiGLU(gate: inner, up: lowered)
    }

    /// gelu(x) = x · sigmoid(2 √(2/π) (x + 0.044715 x³)) = silu(x · factor) / factor.
    private func geluParts(_ x: Tensor) throws -> (inner: Tensor, factor: Tensor) {
        let square = try node { ggml_sqr(context, x.raw) }
        let slope = 2 * (2 / Float.pi).squareRoot()
        let factor = try scale(square, by: 0.044715 * slope, plus: slope)
        return (try multiply(x, factor), factor)
    }

    /// `x · Φ(x)`, exactly.
    public func geluExact(_ x: Tensor) throws -> Tensor {
        let source = try contiguous(x)
        return try node { ggml_gelu_erf(context, source.raw) }
    }

    /// Each row over its root mean square, times `weight` (arXiv:1910.07467).
    public func rmsNorm(_ x: Tensor, _ weight: Tensor, epsilon: Float) throws -> Tensor {
        try require(weight.shape == [x[0]], "rmsNorm", "weight \(weight.label) for rows of \(x.label)")
        let normal = try node { ggml_rms_norm(context, x.raw, epsilon) }
        return try multiply(normal, weight)
    }

    /// Each row less its mean over its standard deviation, without weights (arXiv:1607.06450).
    public func layerNorm(_ x: Tensor, epsilon: Float) throws -> Tensor {
        try node { ggml_norm(context, x.raw, epsilon) }
    }

    func broadcasts(_ operation: String, _ a: Tensor, _ b: Tensor) throws {
        try require((0..<4).allSatisfy { a[$0] % b[$0] == 0 }, operation, "\(b.label) does not repeat to \(a.label)")
        try require(a.type == .f32 && b.type == .f32, operation, "\(a.type) and \(b.type), not f32")
    }
}
