import OmniEngine
import OmniTensor

/// A request that can be asked for another size.
protocol SizedRequest: Sendable {
    /// The same at `side`×`side`, without what has a size of its own.
    func square(_ side: Int) -> Self
}

/// Plans requests for the memory that the machine has.
struct MemoryPlanner<Request: SizedRequest, Defaults: Sendable> {
    private let loaded: EngineCore<Request, Defaults>.Loaded
    private let options: DiffusionOptions
    private let nodes: Int
    private let scale: SizeScale

    /// What sizes are counted in.
    struct SizeScale {
        /// Width and height are multiples of this, pixels.
        let multiple: Int
        /// The longest side that is tried, pixels.
        let longest: Int
    }

    init(_ loaded: EngineCore<Request, Defaults>.Loaded, _ options: DiffusionOptions, nodes: Int, _ scale: SizeScale) {
        (self.loaded, self.options, self.nodes, self.scale) = (loaded, options, nodes, scale)
    }

    /// Bytes that a request takes, bytes that there are, and the largest square that they are enough for, pixels a side.
    func estimate(_ request: Request) throws -> (bytes: Int, available: Int?, largestSide: Int?) {
        let available = loaded.availableBytes(options)
        let bytes = try plan(request, available).memory
        return (bytes, available, available.flatMap { largestSide(request, $0, most: scale.longest) })
    }

    /// The request's plan.
    ///
    /// - Throws: ``ImageModelError/memory(needed:lacking:largestSide:)`` where there is too little.
    func affordable(_ request: Request) throws -> DenoisingPlan {
        let available = loaded.availableBytes(options)
        let plan = try plan(request, available)
        if let available, plan.memory > available {
            // No square that is longer than what was asked for takes less.
            let side = largestSide(request, available, most: plan.longestSide)
            throw ImageModelError.memory(needed: plan.memory, lacking: plan.memory - available, largestSide: side)
        }
        return plan
    }

    private func plan(_ request: Request, _ available: Int?, isEstimate: Bool = false) throws -> DenoisingPlan {
        try loaded.family.plan(
            request,
            PlanningContext(backend: loaded.backend, tiling: options.tiling, available: available, nodes: nodes, isEstimate: isEstimate))
    }

    private func largestSide(_ request: Request, _ available: Int, most: Int) -> Int? {
        largestSquare(multiple: scale.multiple, most: most, within: available) { side in
            try? plan(request.square(side), available, isEstimate: true).memory
        }
    }
}

/// The largest square that `available` bytes are enough for, pixels a side; nil where even the smallest takes more.
///
/// To plan a large one takes long, so few are tried. Bytes grow about with the area: the next to try is where a line through the last two
/// crosses what there is. Where that leaves more than half of the sides twice in a row, or nothing is known, it is the one in the middle.
///
/// - Parameters:
///   - most: longest side that is tried.
///   - memory: bytes that a square of that side takes, no less than a smaller one does; nil where the model cannot make it.
func largestSquare(multiple: Int, most: Int, within available: Int, memory: (Int) -> Int?) -> Int? {
    // In multiples: `low` fits, `high` does not.
    var (low, high) = (0, max(1, most / multiple) + 1)
    var (guess, misses) = (max(1, 512 / multiple), 0)
    var last = (area: 0.0, bytes: 0.0)
    while high - low > 1 {
        let width = high - low
        let tried = misses > 1 ? (low + high) / 2 : min(max(guess, low + 1), high - 1)
        let side = tried * multiple
        // The pixels alone: what is far too large need not be planned.
        let bytes = side * side * 3 * MemoryLayout<Float>.size <= available ? memory(side) : nil
        if let bytes, bytes <= available { low = tried } else { high = tried }
        misses = misses < 2 && 2 * (high - low) > width ? misses + 1 : 0
        guess = (low + high) / 2
        guard let bytes else { continue }
        let now = (area: Double(tried * tried), bytes: Double(bytes))
        let slope = (now.bytes - last.bytes) / (now.area - last.area)
        if slope > 0 { guess = Int(min(max(now.area + (Double(available) - now.bytes) / slope, 1).squareRoot(), Double(most))) }
        last = now
    }
    return low > 0 ? low * multiple : nil
}

extension EngineCore.Loaded {
    /// Bytes that a request may take: the option's, or what the machine has less the mapped weights, which the kernel counts
    /// as free to drop.
    func availableBytes(_ options: DiffusionOptions) -> Int? {
        options.memoryLimit ?? backend.availableBytes.map { max(0, $0 - family.stores.reduce(0) { $0 + $1.mappedBytes }) }
    }
}
