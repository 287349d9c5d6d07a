import CLlamaChat
import Foundation
import OmniLlama
import Testing

@testable import OmniText

@Suite("Sampling")
struct SamplerTests {
    private func plan(_ change: (inout SamplingPlan) -> Void) -> SamplingPlan {
        var plan = SamplingPlan()
        plan.seed = 1
        change(&plan)
        return plan
    }

    /// How often each token comes in `draws`.
    private func frequencies(_ logits: [Float], draws: Int = 8_000, _ change: (inout SamplingPlan) -> Void) -> [Double] {
        var sampler = TokenSampler(plan: plan(change), prompt: [], endTokens: [], choice: 0)
        let scratch = SamplerScratch(vocabulary: logits.count)
        var counts = [Double](repeating: 0, count: logits.count)
        for _ in 0..<draws {
            if let token = sampler.next(logits, scratch: scratch, grammar: nil) { counts[Int(token)] += 1 }
        }
        return counts.map { $0 / Double(draws) }
    }

    private func softmax(_ logits: [Float], temperature: Double = 1) -> [Double] {
        let weights = logits.map { exp(Double($0) / temperature) }
        return weights.map { $0 / weights.reduce(0, +) }
    }

    private let logits: [Float] = (0..<200).map { Float(sin(Double($0) * 1.7) * 3) }

    @Test("tokens come as often as their probabilities say", arguments: [0.5, 1.0, 2.0])
    func temperature(temperature: Double) {
        let wanted = softmax(logits, temperature: temperature)
        let seen = frequencies(logits) { $0.temperature = Float(temperature) }
        for (wanted, seen) in zip(wanted, seen) { #expect(abs(wanted - seen) < 0.02) }
    }

    @Test("a penalty that makes a logit infinite makes its token certain", arguments: [0, 5])
    func infinite(topK: Int) {
        let plan = plan {
            $0.repetitionPenalty = .leastNonzeroMagnitude
            $0.topK = topK
            $0.topP = 0.9
        }
        var sampler = TokenSampler(plan: plan, prompt: [1], endTokens: [], choice: 0)
        #expect(logits[1] > 0)
        #expect(sampler.next(logits, scratch: SamplerScratch(vocabulary: logits.count), grammar: nil) == 1)
    }

    @Test("top-k leaves the k likeliest")
    func topK() {
        let seen = frequencies(logits) { $0.topK = 5 }
        let best = logits.indices.sorted { logits[$0] > logits[$1] }.prefix(5)
        #expect(seen.indices.filter { seen[$0] > 0 }.allSatisfy { best.contains($0) })
        #expect(seen.filter { $0 > 0 }.count == 5)
    }

    @Test("top-p leaves the smallest set with that much probability", arguments: [0.1, 0.5, 0.9, 0.99])
    func topP(topP: Double) {
        let probabilities = softmax(logits)
        var nucleus = Set<Int>(), passed = 0.0
        for token in logits.indices.sorted(by: { logits[$0] > logits[$1] }) where passed < topP {
            nucleus.insert(token)
            passed += probabilities[token]
        }
        let seen = frequencies(logits) { $0.topP = Float(topP) }
        #expect(seen.indices.filter { seen[$0] > 0 }.allSatisfy { nucleus.contains($0) })
        for token in nucleus { #expect(abs(seen[token] - probabilities[token] / passed) < 0.03) }
    }

    @Test("top-p is measured after top-k")
    func topKThenTopP() {
        // Of four equal tokens and many small ones, top-k 4 and top-p 0.5 leave two.
        var logits = [Float](repeating: 0, count: 100)
        for token in 0..<4 { logits[token] = 5 }
        let seen = frequencies(logits) {
            $0.topK = 4; $0.topP = 0.5
        }
        #expect(seen.filter { $0 > 0 }.count == 2)
    }

    @Test("min-p drops what is less likely than that part of the likeliest")
    func minP() {
        let probabilities = softmax(logits)
        let bound = (probabilities.max() ?? 0) * 0.2
        let seen = frequencies(logits) { $0.minP = 0.2 }
        for token in logits.indices { #expect((seen[token] > 0) == (probabilities[token] >= bound) || probabilities[token] < 0.002) }
    }

    @Test("a flat distribution stays flat under top-p")
    func flat() {
        let seen = frequencies([Float](repeating: 1, count: 50)) { $0.topP = 0.999 }
        #expect(seen.allSatisfy { abs($0 - 0.02) < 0.01 })
    }

    @Test("greedy takes the likeliest, and a bias or a penalty changes which that is")
    func biases() {
        let scratch = SamplerScratch(vocabulary: 4)
        let logits: [Float] = [1, 3, 2, 0]
        var greedy = TokenSampler(plan: plan { $0.temperature = 0 }, prompt: [], endTokens: [], choice: 0)
        #expect(greedy.next(logits, scratch: scratch, grammar: nil) == 1)
        var biased = TokenSampler(
            plan: plan {
                $0.temperature = 0; $0.biases = [(1, -100)]
            }, prompt: [], endTokens: [], choice: 0)
        #expect(biased.next(logits, scratch: scratch, grammar: nil) == 2)
        var repeated = TokenSampler(
            plan: plan {
                $0.temperature = 0; $0.repetitionPenalty = 2
            }, prompt: [1], endTokens: [], choice: 0)
        #expect(repeated.next(logits, scratch: scratch, grammar: nil) == 2)
        var frequent = TokenSampler(
            plan: plan {
                $0.temperature = 0; $0.frequencyPenalty = 0.6
            }, prompt: [1], endTokens: [], choice: 0)
        var order: [Token] = []
        for _ in 0..<4 {
            guard let token = frequent.next(logits, scratch: scratch, grammar: nil) else { break }
            frequent.accept(token)
            order.append(token)
        }
        #expect(order == [1, 1, 2, 1])
    }

    @Test("the end does not come before the least length")
    func minimum() {
        let scratch = SamplerScratch(vocabulary: 3)
        var sampler = TokenSampler(
            plan: plan {
                $0.temperature = 0; $0.minTokens = 1
            }, prompt: [], endTokens: [2], choice: 0)
        #expect(sampler.next([0, 1, 5], scratch: scratch, grammar: nil) == 1)
        sampler.accept(1)
        #expect(sampler.next([0, 1, 5], scratch: scratch, grammar: nil) == 2)
    }

    @Test("the loops over the vocabulary agree with plain arithmetic at every length")
    func loops() {
        for count in [1, 63, 64, 65, 1000] {
            let values = (0..<count).map { Float(sin(Double($0 * 7919))) * 20 }
            let best = values.max() ?? 0
            #expect(omni_max(values, Int32(count)) == best)
            #expect(values[Int(omni_argmax(values, Int32(count)))] == best)
            let sum = values.reduce(0.0) { $0 + exp(Double($1 - best)) }
            #expect(abs(omni_logsumexp(values, Int32(count)) - (Double(best) + log(sum))) < 1e-5)
            var weights = [Float](repeating: 0, count: count)
            let total = omni_weights(values, &weights, Int32(count), best, 1, 0)
            #expect(abs(total / sum - 1) < 1e-5)
            for (value, weight) in zip(values, weights) { #expect(abs(Double(weight) - exp(Double(value - best))) < 1e-6) }
            var places = [Int32](repeating: 0, count: min(7, count))
            let found = omni_largest(values, Int32(count), Int32(places.count), &places)
            #expect(Int(found) == places.count)
            #expect(places.map { values[Int($0)] } == Array(values.sorted(by: >).prefix(places.count)))
        }
    }
}
