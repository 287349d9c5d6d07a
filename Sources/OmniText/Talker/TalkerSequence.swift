import OmniAPI
import OmniEngine
import OmniLlama

/// One answer while it is spoken: what goes into the network next, as far as the thinker has come.
///
/// The prompt's rows, then the voice's token with the code for nothing, then the reply's first row with the code that begins. From then on each
/// code that was chosen with the reply's next row: with the end of the text after the last one, and nothing from then on.
final class TalkerSequence {
    struct Input: Equatable {
        var vector: [Float]
        var place: RotaryPlace
        /// A code is chosen after it.
        var output: Bool
    }

    let request: TalkerRequest
    let slot: Int
    private let model: TalkerModel
    private var sampler: TokenSampler
    /// Inputs that the next batch takes.
    private(set) var inputs: [Input] = []
    /// Positions that it holds.
    private(set) var length = 0
    private var nextPosition: Int32 = 0
    private var lastCode: Token?
    private var saidEnd = false
    private(set) var codeCount = 0
    /// The text has ended before it began.
    private(set) var hasNothingToSay = false

    init(_ request: TalkerRequest, slot: Int, model: TalkerModel) {
        (self.request, self.slot, self.model) = (request, slot, model)
        let tokens = model.tokens
        sampler = TokenSampler(
            plan: request.plan, prompt: [tokens.mask, tokens.pad, tokens.start], endTokens: [tokens.pad, tokens.end], choice: 0)
    }

    var isCancelled: Bool { request.cancellation.isCancelled }

    /// Gathers what can go in next, at most `room` inputs. Throws ``APIError``.
    func gather(room: Int) throws {
        inputs.removeAll(keepingCapacity: true)
        let (feed, tokens) = (request.feed, model.tokens)
        if length < feed.promptCount {
            for row in feed.take(most: room, isPiece: true) {
                inputs.append(Input(vector: row.values, place: row.place, output: false))
                nextPosition = max(row.place.time, row.place.height, row.place.width) + 1
            }
            return
        }
        guard let lastCode else {
            guard room >= 2, feed.hasRows || feed.isEmptied else { return }
            guard let first = feed.take(most: 1).first else { return hasNothingToSay = true }
            try add(sum(model.vector(ofWord: request.voice), model.vector(ofCode: tokens.pad)), output: false)
            return try add(sum(first.values, model.vector(ofCode: tokens.start)), output: true)
        }
        guard room >= 1 else { return }
        if let row = feed.take(most: 1).first {
            try add(sum(row.values, model.vector(ofCode: lastCode)), output: true)
        } else if feed.isEmptied {
            try add(sum(model.vector(ofWord: saidEnd ? tokens.textPad : tokens.textEnd), model.vector(ofCode: lastCode)), output: true)
            saidEnd = true
        }
    }

    private func add(_ vector: [Float], output: Bool) throws {
        inputs.append(Input(vector: vector, place: RotaryPlace(nextPosition), output: output))
        nextPosition += 1
    }

    /// The inputs are in the cache.
    func noteFed() { length += inputs.count }

    /// Chooses a code from the logits of the last input; nil where that ends the speech.
    func choose(_ row: UnsafePointer<Float>, scratch: SamplerScratch) -> Token? {
        request.watch?(Array(UnsafeBufferPointer(start: row, count: Int(scratch.count))))
        guard let code = sampler.next(row, scratch: scratch, grammar: nil) else { return nil }
        sampler.accept(code)
        guard code != model.tokens.end, code != model.tokens.pad else { return nil }
        lastCode = code
        codeCount += 1
        return code
    }
}
