import CLlama

/// A tensor of a graph or of a weight store, which it keeps alive.
///
/// Shapes are written as ggml stores them, fastest axis first: a row of features is `[features, tokens]`, a picture
/// `[width, height, channels]`, a linear layer's weight `[in, out]`. That is PyTorch's shape read backwards.
// @unchecked: a weight never changes once loaded; a node stays with its graph, which is confined to one thread.
public struct Tensor: @unchecked Sendable {
    let raw: UnsafeMutablePointer<ggml_tensor>
    let owner: AnyObject

    init(_ raw: UnsafeMutablePointer<ggml_tensor>, owner: AnyObject) {
        self.raw = raw
        self.owner = owner
    }

    /// All axes but trailing ones of length one; at least one axis.
    public var shape: [Int] { Self.trimmed(dimensions) }

    /// A shape as ``shape`` has it.
    static func trimmed(_ axes: [Int]) -> [Int] {
        var axes = axes
        while axes.count > 1, axes.last == 1 { axes.removeLast() }
        return axes
    }

    /// Four lengths, ones at the end.
    public var dimensions: [Int] { [raw.pointee.ne.0, raw.pointee.ne.1, raw.pointee.ne.2, raw.pointee.ne.3].map(Int.init) }
    public var count: Int { Int(ggml_nelements(raw)) }
    public var type: ElementType { ElementType(raw: raw.pointee.type) }
    /// Bytes the data takes.
    public var byteCount: Int { ggml_nbytes(raw) }
    /// In one piece. A single column that was a row is not, for ggml's products, though its bytes are.
    public var isContiguous: Bool { ggml_is_contiguous(raw) && raw.pointee.nb.0 == ggml_type_size(raw.pointee.type) }

    public subscript(axis: Int) -> Int { axis < 4 ? dimensions[axis] : 1 }

    /// Name and shape, for messages.
    public var label: String {
        let name = String(cString: ggml_get_name(raw))
        return (name.isEmpty ? "" : name + " ") + "\(shape)"
    }
}
