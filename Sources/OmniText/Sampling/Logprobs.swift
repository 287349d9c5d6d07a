import CLlamaChat
import OmniAPI
import OmniLlama

extension TokenLogprob {
    /// The logarithm of the probability that the model itself gives `token`, before temperature and penalties, with the
    /// `count` likeliest tokens beside it.
    init(of token: Token, row: UnsafePointer<Float>, count: Int, scratch: SamplerScratch, pieces: inout PieceTable) {
        let total = omni_logsumexp(row, scratch.count)
        func entry(_ token: Token, _ pieces: inout PieceTable) -> TokenLogprob {
            let bytes = pieces[token]
            return TokenLogprob(token: String(decoding: bytes, as: UTF8.self), logprob: Double(row[Int(token)]) - total, bytes: bytes)
        }
        self = entry(token, &pieces)
        guard count > 0 else { return }
        let found = Int(omni_largest(row, scratch.count, Int32(count), scratch.places))
        top.reserveCapacity(found)
        for index in 0..<found { top.append(entry(scratch.places[index], &pieces)) }
    }
}
