import Testing

@testable import OmniText

/// A CPU whose costs are known: seconds of a pass of so many rows, each seeing so many cells.
private struct ScriptedCPU: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let seconds: @Sendable (_ rows: Double, _ cells: Double) -> Double

    func time(of passes: [BatchPass]) -> Double { passes.reduce(0) { $0 + seconds(Double($1.rows), Double($1.cells)) } }

    /// Every row costs the same: SmolLM2 on two Zen cores.
    static let even = ScriptedCPU(testDescription: "even rows") { rows, _ in 0.005 + 0.00033 * rows }
    /// SmolLM2 on two Zen 4 cores that are slow today; short passes cost a little more for each row.
    static let measured = ScriptedCPU(testDescription: "as measured") { rows, _ in 0.006 + 0.0034 * rows + 0.0009 * min(rows, 64) }
    /// A kernel for tiles: few rows cost as much as a hundred, as with AMX.
    static let tiles = ScriptedCPU(testDescription: "few rows are dear") { rows, _ in rows <= 2 ? 0.006 : 0.09 + 0.00035 * rows }
    /// Rows in steps of 64.
    static let steps = ScriptedCPU(testDescription: "rows in steps") { rows, _ in 0.004 + 0.02 * (rows / 64).rounded(.up) }
    /// A large model, whose weights take long to read: decoding by itself is slow.
    static let large = ScriptedCPU(testDescription: "slow decoding") { rows, _ in 0.3 + 0.028 * rows }
    /// Attention is what costs: a deep context.
    static let deep = ScriptedCPU(testDescription: "a long context") { rows, cells in 0.005 + 0.00033 * rows + 2e-7 * rows * cells }
    /// SmolLM2 on two cores of a Xeon with AMX: attention of few rows takes ten times as long as that of many.
    static let amx = ScriptedCPU(testDescription: "attention of few rows is slow") { rows, cells in
        0.008 + 0.0004 * rows + (rows < 64 ? 2e-5 : 1.8e-6) * rows * cells
    }
}

@Suite("Prompts among decoders")
struct PrefillBudgetTests {
    private struct Run {
        var seconds = 0.0
        var longestGap = 0.0
    }

    /// Reads prompts of `length` tokens beside `decoders`, each of which is at `depth`. One cache for all, or one for each.
    private func read(
        _ length: Int, from depth: Int = 0, prompts: Int = 1, decoders: Int, on cpu: ScriptedCPU, capacity: Int = 512, unified: Bool,
        with budget: inout PrefillBudget
    ) -> Run {
        let talkers = (0..<decoders).map { BatchPass.Piece(slot: $0, count: 1, held: 200 + depth) }
        func passes(_ pieces: [BatchPass.Piece]) -> [BatchPass] {
            unified ? BatchPass.unified(pieces, cells: depth + 200) : BatchPass.split(pieces)
        }
        var run = Run()
        var left = length * prompts
        while left > 0 {
            let held = depth + length * prompts - left
            func prompt(_ count: Int) -> BatchPass.Piece { BatchPass.Piece(slot: decoders, count: count, held: held) }
            let choice = budget.piece(
                for: prompts, capacity: capacity, passes: { passes($0 > 0 ? talkers + [prompt($0)] : talkers) },
                alone: { passes([prompt($0)]) })
            let count = left <= choice.most ? left : min(choice.tokens, left)
            let step = passes(talkers + [prompt(count)])
            let seconds = cpu.time(of: step)
            budget.record(seconds, passes: step)
            run.seconds += seconds
            run.longestGap = max(run.longestGap, seconds)
            left -= count
        }
        return run
    }

    private func alone(_ length: Int, from depth: Int = 0, on cpu: ScriptedCPU, capacity: Int = 512) -> Double {
        stride(from: 0, to: length, by: capacity).reduce(0) {
            let rows = min(capacity, length - $1)
            return $0 + cpu.time(of: [BatchPass(rows: rows, cells: depth + $1 + rows / 2)])
        }
    }

    /// Some steps without prompts, as any server has had before the first long one comes.
    private func begun(on cpu: ScriptedCPU, decoders: Int, unified: Bool) -> PrefillBudget {
        var budget = PrefillBudget()
        let talkers = (0..<decoders).map { BatchPass.Piece(slot: $0, count: 1, held: 20) }
        for _ in 0..<5 {
            let step = unified ? BatchPass.unified(talkers, cells: 100) : BatchPass.split(talkers)
            budget.record(cpu.time(of: step), passes: step)
        }
        return budget
    }

    @Test("done within twice the time alone, and no gap over a quarter of a second", arguments: [ScriptedCPU.even, .tiles], [true, false])
    fileprivate func both(cpu: ScriptedCPU, unified: Bool) {
        var budget = begun(on: cpu, decoders: 4, unified: unified)
        // The first prompt is what the costs are learned from.
        let first = read(1550, decoders: 4, on: cpu, unified: unified, with: &budget)
        #expect(first.seconds <= 4 * alone(1550, on: cpu), "while learning")
        #expect(first.longestGap <= 0.35)
        for _ in 0..<3 {
            let run = read(1550, decoders: 4, on: cpu, unified: unified, with: &budget)
            #expect(run.seconds <= 2.05 * alone(1550, on: cpu))
            // Two passes of dear rows cannot keep to both; what is missed is little.
            #expect(run.longestGap <= (cpu.testDescription == ScriptedCPU.tiles.testDescription && !unified ? 0.3 : 0.25))
        }
    }

    @Test("what odd steps of several users have taught does not spoil it: a size counts as known only where it was nearly seen")
    func odd() {
        let cpu = ScriptedCPU.measured
        var budget = begun(on: cpu, decoders: 4, unified: false)
        let rows: [[Int]] = [[20], [4, 57], [7, 57, 20], [40], [6, 76, 20], [8, 19], [130], [26]] + Array(repeating: [33], count: 6)
        for passes in rows.map({ $0.map { BatchPass(rows: $0, cells: 40) } }) { budget.record(cpu.time(of: passes), passes: passes) }
        let known = budget.cost.time(of: [BatchPass(rows: 256, cells: 0)])
        #expect(known > 0.6 * cpu.seconds(256, 0), "\(known)")
        for _ in 0..<3 {
            let run = read(1550, decoders: 4, on: cpu, unified: false, with: &budget)
            #expect(run.longestGap <= 0.27 && run.seconds <= 2.05 * alone(1550, on: cpu), "\(run)")
        }
    }

    @Test("between breakpoints a curve is not what it seems: still close", arguments: [true, false])
    func steps(unified: Bool) {
        let cpu = ScriptedCPU.steps
        var budget = begun(on: cpu, decoders: 4, unified: unified)
        _ = read(1550, decoders: 4, on: cpu, unified: unified, with: &budget)
        let run = read(1550, decoders: 4, on: cpu, unified: unified, with: &budget)
        #expect(run.seconds <= 2.5 * alone(1550, on: cpu))
        #expect(run.longestGap <= 0.25)
    }

    @Test(
        "where decoding is slow by itself, a prompt still takes at most twice its time, and a gap three times a token's",
        arguments: [true, false])
    func slowDecoding(unified: Bool) {
        let cpu = ScriptedCPU.large
        var budget = begun(on: cpu, decoders: 4, unified: unified)
        _ = read(600, decoders: 4, on: cpu, unified: unified, with: &budget)
        let run = read(600, decoders: 4, on: cpu, unified: unified, with: &budget)
        let token = cpu.time(of: BatchPass.unified((0..<4).map { .init(slot: $0, count: 1, held: 0) }, cells: 0))
        #expect(run.seconds <= 2.6 * alone(600, on: cpu))
        #expect(run.longestGap <= 3.1 * token)
    }

    @Test("attention to a long context is learned: pieces get smaller as it gets deeper")
    func longContext() {
        let cpu = ScriptedCPU.deep
        var budget = begun(on: cpu, decoders: 2, unified: false)
        _ = read(8000, decoders: 2, on: cpu, unified: false, with: &budget)
        let run = read(4000, from: 12_000, decoders: 2, on: cpu, unified: false, with: &budget)
        #expect(run.longestGap <= 0.3)
        #expect(run.seconds <= 2.1 * alone(4000, from: 12_000, on: cpu))
        let learned = max(budget.cost.attention, budget.cost.attentionOfMany)
        #expect(learned > 1e-7 && learned < 4e-7)
    }

    @Test("where the attention of few rows is slow, prompts do not stay with small pieces")
    func slowAttention() {
        let (cpu, unified) = (ScriptedCPU.amx, false)
        var budget = begun(on: cpu, decoders: 4, unified: unified)
        for _ in 0..<2 { _ = read(1550, decoders: 4, on: cpu, unified: unified, with: &budget) }
        let third = read(1550, decoders: 4, on: cpu, unified: unified, with: &budget)
        #expect(third.seconds <= 2.2 * alone(1550, on: cpu))
    }

    @Test("several that wait get larger pieces than one")
    func several() {
        let cpu = ScriptedCPU.tiles
        var budget = begun(on: cpu, decoders: 2, unified: true)
        for _ in 0..<3 { _ = read(1000, decoders: 2, on: cpu, unified: true, with: &budget) }
        let one = read(1000, decoders: 2, on: cpu, unified: true, with: &budget)
        let four = read(250, prompts: 4, decoders: 2, on: cpu, unified: true, with: &budget)
        #expect(four.seconds < one.seconds)
        #expect(four.longestGap <= 0.3)
    }

    @Test("a step that another program held up for a minute does not change what is done for long")
    func outlier() {
        let cpu = ScriptedCPU.even
        var budget = begun(on: cpu, decoders: 4, unified: true)
        for _ in 0..<2 { _ = read(1550, decoders: 4, on: cpu, unified: true, with: &budget) }
        budget.record(60, passes: [BatchPass(rows: 100, cells: 100)])
        _ = read(1550, decoders: 4, on: cpu, unified: true, with: &budget)
        let run = read(1550, decoders: 4, on: cpu, unified: true, with: &budget)
        #expect(run.seconds <= 2.05 * alone(1550, on: cpu))
    }

    @Test("passes are counted as libllama makes them: neighbours together, the rest of a longer piece by itself")
    func passes() {
        let pieces = [(0, 1, 10), (1, 1, 20), (2, 5, 0)].map { BatchPass.Piece(slot: $0.0, count: $0.1, held: $0.2) }
        #expect(BatchPass.split(pieces) == [BatchPass(rows: 3, cells: 20, rowsTogether: 1), BatchPass(rows: 4, cells: 3)])
        let apart = [(0, 1, 10), (4, 1, 20), (5, 1, 30)].map { BatchPass.Piece(slot: $0.0, count: $0.1, held: $0.2) }
        #expect(BatchPass.split(apart) == [BatchPass(rows: 1, cells: 10), BatchPass(rows: 2, cells: 30, rowsTogether: 1)])
        #expect(BatchPass.unified(pieces, cells: 30) == [BatchPass(rows: 7, cells: 33)])
        #expect(BatchPass.split([]).isEmpty && BatchPass.unified([], cells: 5).isEmpty)
    }
}
