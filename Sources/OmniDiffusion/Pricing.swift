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
        return ImagePrice(bytes: bytes, available: available, largestSide: try available.flatMap { try largestSide(request, $0) })
    }

    /// The request's plan, or what is lacking.
    func affordable(_ request: ImageRequest) throws -> ImagePlan {
        let available = self.available
        let (plan, bytes) = try plan(request, available)
        if let available, bytes > available {
            throw ImageModelError.memory(needed: bytes, lacking: bytes - available, largestSide: try largestSide(request, available))
        }
        return plan
    }

    private func plan(_ request: ImageRequest, _ available: Int?) throws -> (ImagePlan, Int) {
        var plan = try ImagePlan(request, loaded.family)
        let bytes = try plan.price(loaded.family, Executor(loaded.backend), tiling: options.tiling, available: available)
        return (plan, bytes)
    }

    /// Between the smallest square and 2048 pixels a side, by halving.
    private func largestSide(_ request: ImageRequest, _ available: Int) throws -> Int? {
        let multiple = loaded.family.defaults.multiple
        var square = request
        (square.input, square.mask) = (nil, nil)
        func fits(_ count: Int) -> Bool {
            (square.width, square.height) = (count * multiple, count * multiple)
            guard let price = try? plan(square, available).1 else { return false }
            return price <= available
        }
        var (low, high) = (0, max(1, 2048 / multiple))
        while low < high {
            let middle = (low + high + 1) / 2
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        return low > 0 ? low * multiple : nil
    }
}

extension EngineCore.Loaded {
    /// Bytes that a request may take: the option's, or what the machine has less the mapped weights, which the kernel counts
    /// as free to drop.
    func availableBytes(_ options: DiffusionOptions) -> Int? {
        options.memoryLimit ?? backend.availableBytes.map { max(0, $0 - networks.stores.reduce(0) { $0 + $1.mappedBytes }) }
    }
}
