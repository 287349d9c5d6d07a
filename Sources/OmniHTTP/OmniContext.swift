import Hummingbird
import Logging
import NIOCore
import OmniAPI

/// What a route knows about its request besides the request itself.
public struct OmniContext: RequestContext {
    public struct Source: RequestContextSource {
        public let logger: Logger
        let channel: any Channel
        let requestID: String
        let limits: RequestLimits
    }

    public var coreContext: CoreRequestContextStorage
    public let channel: any Channel
    /// The client's `X-Request-Id`, or ours.
    public let requestID: String
    public let limits: RequestLimits

    public init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
        requestID = source.requestID
        limits = source.limits
    }

    /// The logger with the request's id on every line.
    public var requestLogger: Logger {
        var logger = logger
        logger[metadataKey: "request_id"] = .string(requestID)
        return logger
    }

    /// Runs `operation` in a task that is cancelled as soon as the client is gone. The connection stays reusable.
    /// `isLong`: on the pool's threads, so that the loop's other connections need not wait for it.
    public func cancelOnDisconnect<Result: Sendable>(isLong: Bool = false, _ operation: @escaping @Sendable () async throws -> Result)
        async throws -> Result
    {
        let handler = try await channel.pipeline.handler(type: DisconnectHandler.self).get()
        let task = Task(executorPreference: isLong ? globalConcurrentExecutor : LoopExecutor(channel.eventLoop)) { try await operation() }
        let id = handler.onClose { task.cancel() }
        defer { handler.remove(id) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}

/// A body from which on its handling is long: a megabyte of JSON takes milliseconds to parse.
package let longBody = 32 << 10

/// Runs long work on the pool's threads, and short work where the caller is.
package func away<Result: Sendable>(if isLong: Bool, _ work: @Sendable () throws -> Result) async throws -> Result {
    guard isLong else { return try work() }
    return try await withTaskExecutorPreference(globalConcurrentExecutor) { try await runHere(work) }
}

private func runHere<Result: Sendable>(_ work: @Sendable () throws -> Result) async throws -> Result { try work() }

/// Limits on what a request may bring.
public struct RequestLimits: Sendable {
    /// Largest request body, bytes; `--max-body-size`.
    public var maxBodySize: Int
    /// Unknown fields are errors; `--strict-params`.
    public var strictParameters: Bool

    public init(maxBodySize: Int = 64 << 20, strictParameters: Bool = false) {
        self.maxBodySize = maxBodySize
        self.strictParameters = strictParameters
    }
}
