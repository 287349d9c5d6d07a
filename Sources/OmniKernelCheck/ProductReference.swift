import CKernelReference

/// A product in doubles, and how far from it a kernel may be.
struct ProductReference {
    let weights: QuantizedWeights
    let x: Activations
    /// [rows][outputs]
    let wanted: [Double]
    let allowed: [Double]
    /// The expected square of each error; nil where nothing is rounded.
    let variance: [Double]?

    /// Rounding of f32 sums, as a share of the sum of their sizes: of several hundred terms, each exact to 2⁻²⁴, in any order.
    static let roundingOfSums = 1e-5
    /// How much worse than evenly spread rounding the errors may be altogether. A kernel that cuts instead of rounding is at 2.
    static let mostSpread = 1.5

    init(weights: QuantizedWeights, x: Activations, form: Activations.Form) {
        self.weights = weights
        self.x = x
        let rows = x.values.count / weights.inner
        var product = ckr_product(inner: Int64(weights.inner), outputs: Int64(weights.outputs), rows: Int64(rows), block: 32)
        var wanted = [Double](repeating: 0, count: rows * weights.outputs)
        var allowed = wanted
        ckr_multiply(&product, weights.values, x.values, &wanted, &allowed)
        var share = Self.roundingOfSums
        // The sum of a block of x is kept as an f16, to be multiplied with the weights' offset.
        if form.keepsSums { share += 0x1p-11 }
        #if arch(arm64)
            // There halves are summed as halves.
            if weights.type.name == "f16" { share += 0x1p-8 }
        #endif
        for place in allowed.indices { allowed[place] *= share }
        if x.rounding.contains(where: { $0 > 0 }) {
            var worst = wanted, squares = wanted
            ckr_spread(&product, weights.values, x.rounding, &worst, &squares)
            for place in allowed.indices { allowed[place] += worst[place] }
            if case .eightBits = form { variance = squares } else { variance = nil }
        } else {
            variance = nil
        }
        self.wanted = wanted
        self.allowed = allowed
    }

    /// What a kernel made of the first rows; `places` says which of the sums each number is to be, nil: in order.
    func judge(_ found: [Float], places: [Int64]? = nil) -> KernelCase.Outcome {
        let verdict = withPointer(variance) { variance in
            withPointer(places) { ckr_compare(found, wanted, allowed, variance, $0, Int64(found.count)) }
        }
        if verdict.worst > 1 {
            let sum = places?[Int(verdict.place)] ?? verdict.place
            let (row, output) = Int(sum).quotientAndRemainder(dividingBy: weights.outputs)
            return .init(
                share: verdict.worst,
                detail: "row \(row), output \(output): \(found[Int(verdict.place)]) instead of \(Float(wanted[Int(sum)]))")
        }
        guard verdict.expected > 0 else { return .init(share: verdict.worst) }
        let spread = (verdict.squares / verdict.expected).squareRoot()
        guard spread > Self.mostSpread else { return .init(share: max(verdict.worst, spread / Self.mostSpread)) }
        return .init(
            share: spread / Self.mostSpread, detail: "x is rounded badly: the errors are \(Float(spread)) times what rounding makes")
    }

    /// The largest term of a sum.
    func term(of sum: Int64) -> Float {
        let (row, output) = Int(sum).quotientAndRemainder(dividingBy: weights.outputs)
        let terms = (0..<weights.inner).lazy.map { weights.values[output * weights.inner + $0] * x.values[row * weights.inner + $0] }
        return terms.max { abs($0) < abs($1) } ?? 0
    }

    private func withPointer<Element, Result>(_ array: [Element]?, _ body: (UnsafePointer<Element>?) -> Result) -> Result {
        guard let array else { return body(nil) }
        return array.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
