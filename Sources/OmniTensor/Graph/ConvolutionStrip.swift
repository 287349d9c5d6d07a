import CLlama
import CTensor

/// Some rows of a convolution: what a node of ours points to.
final class ConvolutionStrip {
    private let geometry: ct_convolution
    private let rows: Range<Int>
    /// In the pacer's units: products of bf16 take 2 for each, ours run at two thirds of that.
    private let cost: Double
    /// Where among the node's sources the input stands; it follows the output where that is made already.
    var source = 0

    init(geometry: ct_convolution, rows: Range<Int>, cost: Double) {
        self.geometry = geometry
        self.rows = rows
        self.cost = cost
    }

    /// What ggml calls, once from each of its threads.
    static let run: ggml_custom_op_t = { target, part, parts, user in
        guard let target, let user else { return }
        Unmanaged<ConvolutionStrip>.fromOpaque(user).takeUnretainedValue().compute(target, Int32(part), Int32(parts))
    }

    private func compute(_ target: UnsafeMutablePointer<ggml_tensor>, _ part: Int32, _ parts: Int32) {
        withUnsafePointer(to: target.pointee.src) { sources in
            sources.withMemoryRebound(to: UnsafeMutablePointer<ggml_tensor>?.self, capacity: Int(GGML_MAX_SRC)) { sources in
                func values(_ index: Int) -> UnsafeMutableRawPointer? { sources[source + index]?.pointee.data }
                let past = geometry.past > 0 ? values(3) : nil
                let bias = values(2)?.assumingMemoryBound(to: Float.self)
                let output = target.pointee.data?.assumingMemoryBound(to: Float.self)
                withUnsafePointer(to: geometry) {
                    ct_convolve($0, values(0), past, values(1), bias, output, Int32(rows.lowerBound), Int32(rows.count), part, parts)
                }
            }
        }
    }

    /// ggml uses the first 24 of the 64 bytes of a custom node's parameters; ours are the last eight.
    private static let costOffset = 56

    func note(on node: Tensor) {
        withUnsafeMutableBytes(of: &node.raw.pointee.op_params) { $0.storeBytes(of: cost, toByteOffset: Self.costOffset, as: Double.self) }
    }

    static func cost(of node: UnsafeMutablePointer<ggml_tensor>) -> Double {
        withUnsafeBytes(of: &node.pointee.op_params) { $0.loadUnaligned(fromByteOffset: costOffset, as: Double.self) }
    }
}
