import OmniEngine
import OmniLlama

/// The tokens of a text, or of a pair of texts, that become one row of numbers.
struct PooledText: Sendable, Equatable {
    var tokens: [Token]
    /// Where the second text of a pair begins.
    var second: Int?
}

/// Texts of one request.
struct PoolingJob: Sendable {
    let texts: [PooledText]
    let cancellation: CancellationToken
    let done: @Sendable (Result<[[Float]], any Error>) -> Void
    /// Of the first texts.
    var rows: [[Float]] = []
}
