import CLlamaChat
import OmniLlama

/// Buffers as large as the vocabulary, shared by all samplers of one thread.
final class SamplerScratch {
    let count: Int32
    /// A copy of the logits, for those that change them.
    let logits: UnsafeMutablePointer<Float>
    let weights: UnsafeMutablePointer<Float>
    let places: UnsafeMutablePointer<Int32>

    init(vocabulary: Int) {
        count = Int32(vocabulary)
        logits = .allocate(capacity: vocabulary)
        weights = .allocate(capacity: vocabulary)
        places = .allocate(capacity: max(vocabulary, 64))
        logits.initialize(repeating: 0, count: vocabulary)
        weights.initialize(repeating: 0, count: vocabulary)
        places.initialize(repeating: 0, count: max(vocabulary, 64))
    }

    deinit {
        logits.deallocate()
        weights.deallocate()
        places.deallocate()
    }
}

/// Chooses the tokens of one sequence: penalties and biases, temperature, min-p, top-k, top-p, in vLLM's order.
struct TokenSampler {
    let plan: SamplingPlan
    private let endTokens: [Token]
    private var random: SplitMix
    /// How often each token was generated, for the frequency and presence penalties.
    private var generated: [Token: Int] = [:]
    /// Tokens of the prompt, which count for the repetition penalty only.
    private let prompt: Set<Token>
    private var produced = 0

    /// `choice` tells the answers to one seeded request apart.
    init(plan: SamplingPlan, prompt: [Token], endTokens: [Token], choice: Int) {
        self.plan = plan
        self.endTokens = endTokens
        self.prompt = plan.repetitionPenalty != 1 ? Set(prompt.filter { $0 >= 0 }) : []
        random = SplitMix(seed: plan.seed.map { $0 &+ UInt64(choice) &* 0x2545_F491_4F6C_DD1D } ?? .random(in: .min ... .max))
    }

    /// The next token; nil when no token is allowed any more. `row`: the model's logits, left as they are.
    mutating func next(_ row: UnsafePointer<Float>, scratch: SamplerScratch, grammar: Grammar?) -> Token? {
        let holdsEnd = produced < plan.minTokens
        guard grammar != nil || plan.hasPenalties || !plan.biases.isEmpty || holdsEnd else {
            return choose(row, scratch: scratch)
        }
        let logits = scratch.logits
        logits.update(from: row, count: Int(scratch.count))
        change(logits, holdsEnd: holdsEnd)
        guard let grammar else { return choose(logits, scratch: scratch) }
        // Most tokens fit: ask about the chosen one, and filter the whole vocabulary only when several were refused.
        for _ in 0..<8 {
            guard let token = choose(logits, scratch: scratch) else { return nil }
            if grammar.allows(token) { return token }
            logits[Int(token)] = -.infinity
        }
        grammar.filter(logits, count: scratch.count)
        return choose(logits, scratch: scratch)
    }

    /// Tells the sampler which token was taken.
    mutating func accept(_ token: Token) {
        produced += 1
        if plan.hasPenalties { generated[token, default: 0] += 1 }
    }

    private func change(_ logits: UnsafeMutablePointer<Float>, holdsEnd: Bool) {
        if plan.repetitionPenalty != 1 {
            func repeated(_ token: Token) {
                let logit = logits[Int(token)]
                logits[Int(token)] = logit > 0 ? logit / plan.repetitionPenalty : logit * plan.repetitionPenalty
            }
            for token in prompt { repeated(token) }
            for token in generated.keys where !prompt.contains(token) { repeated(token) }
        }
        for (token, times) in generated {
            logits[Int(token)] -= Float(times) * plan.frequencyPenalty + plan.presencePenalty
        }
        for (token, bias) in plan.biases { logits[Int(token)] += bias }
        if holdsEnd {
            for token in endTokens { logits[Int(token)] = -.infinity }
            for token in plan.stopTokens { logits[Int(token)] = -.infinity }
        }
    }

    private mutating func choose(_ logits: UnsafePointer<Float>, scratch: SamplerScratch) -> Token? {
        let count = scratch.count
        if plan.isGreedy {
            let token = omni_argmax(logits, count)
            return logits[Int(token)] > -.infinity ? token : nil
        }
        let top = omni_max(logits, count)
        guard top > -.infinity else { return nil }
        let sum = omni_weights(logits, scratch.weights, count, top, 1 / plan.temperature, plan.minP)
        let draw = random.unit()
        // A penalty near 0 makes a logit infinite, and the weights beside it are no numbers: that token is certain.
        guard sum.isFinite, sum > 0 else { return omni_argmax(logits, count) }
        let keepsAll = (plan.topK == 0 || plan.topK >= count) && plan.topP >= 1
        if keepsAll { return omni_pick(scratch.weights, count, draw * sum) }
        return pickFromBest(sum: sum, draw: draw, scratch: scratch)
    }

    /// Top-k, then top-p. The likeliest tokens are gathered above a falling bound until they hold what is asked for, so
    /// that a few hundred are sorted in place of a whole vocabulary.
    private func pickFromBest(sum: Double, draw: Double, scratch: SamplerScratch) -> Token {
        let weights = scratch.weights
        let topK = plan.topK > 0 ? plan.topK : Int(scratch.count)
        var bound: Float = 0.25
        var held = 0
        while true {
            var gathered = 0.0
            held = Int(omni_gather(weights, scratch.count, bound, scratch.places, scratch.count, &gathered))
            // Without a top-k the nucleus is measured against all tokens; with one, against the k that are left.
            let enough = plan.topK > 0 ? held >= topK : gathered >= Double(plan.topP) * sum
            if enough || bound < 1e-20 { break }
            bound *= 0.1
        }
        var places = UnsafeMutableBufferPointer(start: scratch.places, count: held)
        places.sort { left, right in
            let (a, b) = (weights[Int(left)], weights[Int(right)])
            return a == b ? left < right : a > b
        }
        var kept = min(held, topK)
        var total = plan.topK > 0 ? Self.sum(of: places.prefix(kept), weights) : sum
        if plan.topP < 1 {
            let nucleus = Double(plan.topP) * total
            total = 0
            for index in 0..<kept {
                total += Double(weights[Int(places[index])])
                if total >= nucleus {
                    kept = index + 1
                    break
                }
            }
        }
        var left = draw * total
        for place in places.prefix(kept) {
            left -= Double(weights[Int(place)])
            if left < 0 { return place }
        }
        return places[max(kept - 1, 0)]
    }

    private static func sum(of places: Slice<UnsafeMutableBufferPointer<Int32>>, _ weights: UnsafeMutablePointer<Float>) -> Double {
        var sum = 0.0
        for place in places { sum += Double(weights[Int(place)]) }
        return sum
    }
}
