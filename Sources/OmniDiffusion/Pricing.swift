import OmniEngine
import OmniTensor

/// What requests would take, and whether the machine has it.
struct Pricing {
    private let loaded: EngineCore<any DiffusionFamily>.Loaded
    private let options: DiffusionOptions

    init(_ loaded: EngineCore<any DiffusionFamily>.Loaded, _ options: DiffusionOptions) {
        self.loaded = loaded
        self.options = options
    }

    private var available: Int? { loaded.availableBytes(options) }

    func price(_ request: ImageRequest) throws -> ImagePrice {
        let available = self.available
        let (_, bytes) = try plan(request, available)
        return ImagePrice(bytes: bytes, available: available, largestSide: available.flatMap { largestSide(request, $0, most: ImagePlan.longestSide) })
    }

    /// The request's plan, or what is lacking.
    func affordable(_ request: ImageRequest) throws -> ImagePlan {
        let available = self.available
        let (plan, bytes) = try plan(request, available)
        if let available, bytes > available {
            // No square that is longer than the picture takes less.
            let most = max(plan.latents.width, plan.latents.height) * loaded.family.vae.config.scale
            throw ImageModelError.memory(needed: bytes, lacking: bytes - available, largestSide: largestSide(request, available, most: most))
        }
        return plan
    }

    private func plan(_ request: ImageRequest, _ available: Int?) throws -> (ImagePlan, Int) {
        var plan = try ImagePlan(request, loaded.family)
        let bytes = try plan.price(loaded.family, Executor(loaded.backend), tiling: options.tiling, available: available)
        return (plan, bytes)
    }

    private func largestSide(_ request: ImageRequest, _ available: Int, most: Int) -> Int? {
        var square = request
        (square.input, square.mask) = (nil, nil)
        return largestSquare(multiple: loaded.family.defaults.multiple, most: most, within: available) { side in
            (square.width, square.height) = (side, side)
            return try? plan(square, available).1
        }
    }
}

/// The largest square whose price is within `available` bytes, pixels a side; nil where even the smallest is not. By halving.
///
/// - Parameters:
///   - most: longest side that is tried.
///   - price: bytes that a square of that side takes; nil where the model cannot draw it.
func largestSquare(multiple: Int, most: Int, within available: Int, price: (Int) -> Int?) -> Int? {
    func fits(_ side: Int) -> Bool {
        // The pixels alone: what is far too large need not be planned.
        guard side * side * 3 * MemoryLayout<Float>.size <= available else { return false }
        return price(side).map { $0 <= available } ?? false
    }
    var (low, high) = (0, max(1, most / multiple))
    while low < high {
        let middle = (low + high + 1) / 2
        if fits(middle * multiple) { low = middle } else { high = middle - 1 }
    }
    return low > 0 ? low * multiple : nil
}

extension EngineCore.Loaded {
    /// Bytes that a request may take: the option's, or what the machine has less the mapped weights, which the kernel counts
    /// as free to drop.
    func availableBytes(_ options: DiffusionOptions) -> Int? {
        options.memoryLimit ?? backend.availableBytes.map { max(0, $0 - networks.stores.reduce(0) { $0 + $1.mappedBytes }) }
    }
}
