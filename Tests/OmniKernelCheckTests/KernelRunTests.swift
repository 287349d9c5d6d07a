import OmniAPI
import Testing

@testable import OmniKernelCheck

@Suite("A group of kernels, run")
struct KernelRunTests {
    private func run(_ run: KernelRun) throws -> [JSONValue] {
        var lines: [JSONValue] = []
        try run.run { lines.append($0) }
        return lines
    }

    @Test("it says what it begins and how that ended, and ends with done")
    func lines() throws {
        let lines = try run(KernelRun(group: "ggml q8_0"))
        let begun = lines.compactMap { $0["begin"]?.stringValue }, ended = lines.filter { $0["end"] != nil }
        #expect(begun.count >= 12 && begun == ended.compactMap { $0["end"]?.stringValue } && lines.last?["done"]?.boolValue == true)
        #expect(ended.allSatisfy { ($0["share"]?.doubleValue ?? 2) <= 1 }, "\(ended)")
        #expect(begun.contains("q8_0 in CPU, product, 512 rows") && begun.contains("q8_0 in CPU, experts, 1 row"))
    }

    @Test("our own kernels compute what they should, in every variant that this CPU runs, and a lost term is seen")
    func own() throws {
        let variants = OwnCases.Variant.all
        #expect(variants.contains { $0.name == "baseline" || $0.name == "neon" || $0.name == "portable" })
        for variant in variants {
            for one in try OwnCases(variant: variant).cases {
                let outcome = try one.run(false)
                #expect(outcome.share <= 1, "\(one.name): \(outcome.detail ?? "")")
                #expect(try one.run(true).share > 1, "\(one.name): a lost term")
            }
        }
    }

    @Test("a planted wrong number is found in its case and in no other")
    func wrong() throws {
        let name = "q4_0 in CPU, product, 7 rows"
        var check = KernelRun(group: "ggml q4_0")
        check.plant = Plant("\(name)=wrong")
        let bad = try run(check).filter { ($0["share"]?.doubleValue ?? 0) > 1 }
        #expect(bad.map { $0["end"]?.stringValue } == [name])
        #expect(bad.first?["detail"]?.stringValue?.contains("row 0, output 0") == true)
    }

    @Test("it goes on after a case")
    func after() throws {
        let all = try run(KernelRun(group: "ggml f32")).compactMap { $0["begin"]?.stringValue }
        let rest = try run(KernelRun(group: "ggml f32", after: all[3])).compactMap { $0["begin"]?.stringValue }
        #expect(rest == Array(all[4...]))
    }

    @Test("there are no groups but these")
    func unknown() { #expect(throws: (any Error).self) { try run(KernelRun(group: "ggml q99")) } }
}
