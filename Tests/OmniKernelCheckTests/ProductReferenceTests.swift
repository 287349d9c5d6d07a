import CLlama
import Testing

@testable import OmniKernelCheck

/// The check itself: a right product passes, and each way to be wrong that was seen or can be thought of is seen.
@Suite("Products beside their definition")
struct ProductReferenceTests {
    private static let inner = 768, outputs = 32, rows = 16

    enum Input: CaseIterable { case exact, ordinary }

    private func reference(_ type: WeightType, _ input: Input) throws -> ProductReference {
        let weights = try QuantizedWeights(type, inner: Self.inner, outputs: Self.outputs, seed: 7)
        let x: Activations =
            switch input {
            case .exact: .exact(rows: Self.rows, inner: Self.inner, form: type.form, seed: 1)
            case .ordinary: .ordinary(rows: Self.rows, inner: Self.inner, form: type.form, seed: 2)
            }
        return ProductReference(weights: weights, x: x, form: type.form)
    }

    /// The product as a kernel would have it that changes x and the weights so.
    private func product(
        _ reference: ProductReference, x: (Int, Int, Float) -> Float = { $2 }, weight: (Int, Int, Float) -> Float = { $2 }
    ) -> [Float] {
        let weights = reference.weights
        return (0..<Self.rows).flatMap { row in
            (0..<Self.outputs).map { output in
                var sum = 0.0
                for k in 0..<Self.inner {
                    sum +=
                        Double(x(row, k, reference.x.values[row * Self.inner + k]))
                        * Double(weight(output, k, weights.values[output * Self.inner + k]))
                }
                return Float(sum)
            }
        }
    }

    @Test("ggml's types are all there, and only those of weights")
    func types() {
        let names = Set(WeightTypes.all.map(\.name))
        #expect(
            names.isSuperset(of: [
                "f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "tq1_0", "tq2_0",
                "mxfp4",
            ]))
        #expect(names.isSuperset(of: ["iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s", "iq4_nl", "iq4_xs"]))
        #expect(names.isDisjoint(with: ["q8_1", "q8_k", "i32", "f64"]))
    }

    @Test("the definition passes", arguments: WeightTypes.all, Input.allCases)
    func right(type: WeightType, input: Input) throws {
        let reference = try reference(type, input)
        let outcome = reference.judge(reference.wanted.map { Float($0) })
        #expect(outcome.share <= 0.1 && outcome.detail == nil)
    }

    @Test("a lost term is seen, and where", arguments: WeightTypes.all)
    func lostTerm(type: WeightType) throws {
        let reference = try reference(type, .exact)
        var found = reference.wanted.map { Float($0) }
        found[5 * Self.outputs + 9] -= reference.term(of: Int64(5 * Self.outputs + 9))
        let outcome = reference.judge(found)
        #expect(outcome.share > 1 && outcome.detail?.contains("row 5, output 9") == true)
    }

    @Test("the scale of a block's neighbour is seen", arguments: WeightTypes.all)
    func wrongScale(type: WeightType) throws {
        let reference = try reference(type, .exact)
        #expect(
            reference.judge(product(reference, weight: { output, k, value in output == 3 && k / 32 == 5 ? value * 1.1 : value })).share > 1)
    }

    @Test(
        "an x that is cut instead of rounded is seen",
        arguments: WeightTypes.all.filter { if case .eightBits = $0.form { true } else { false } })
    func cutActivations(type: WeightType) throws {
        let reference = try reference(type, .ordinary)
        let block = type.form.block
        let steps = stride(from: 0, to: reference.x.values.count, by: block).map { first in
            reference.x.values[first..<first + block].reduce(0) { max($0, abs($1)) } / 127
        }
        func step(_ row: Int, _ k: Int) -> Float { steps[(row * Self.inner + k) / block] }
        let rounded = product(reference, x: { row, k, value in step(row, k) == 0 ? 0 : (value / step(row, k)).rounded() * step(row, k) })
        #expect(reference.judge(rounded).share <= 1)
        let cut = product(reference, x: { row, k, value in step(row, k) == 0 ? 0 : (value / step(row, k)).rounded(.down) * step(row, k) })
        #expect(reference.judge(cut).share > 1)
    }

    @Test("what is no number is seen, also where zero is wanted", arguments: [Float.nan, .infinity])
    func noNumber(value: Float) throws {
        let reference = try reference(WeightType(raw: GGML_TYPE_F32), .exact)
        for place in [0, 3 * Self.outputs] {  // the fourth row is zeros
            var found = reference.wanted.map { Float($0) }
            found[place] = value
            #expect(reference.judge(found).share > 1)
        }
    }

    @Test("of chosen experts the right sums are looked at")
    func places() throws {
        let reference = try reference(WeightType(raw: GGML_TYPE_Q4_0), .exact)
        let places: [Int64] = [40, 41, 100]
        #expect(reference.judge(places.map { Float(reference.wanted[Int($0)]) }, places: places).share < 1)
        #expect(
            reference.judge([Float(reference.wanted[40]), Float(reference.wanted[42]), Float(reference.wanted[100])], places: places).share
                > 1)
    }
}
