import ArgumentParser
import Foundation
import NIOCore
import OmniHTTP

/// How long connections may keep the server waiting: uvicorn's and vLLM's names where they have one.
struct ConnectionLimitFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Close a connection this long after its last answer; 120 by default. Also VLLM_HTTP_TIMEOUT_KEEP_ALIVE.", valueName: "seconds"))
    var timeoutKeepAlive: Double?

    @Option(help: ArgumentHelp("Refuse a new connection on which nothing comes for this long; 60 by default.", valueName: "seconds"))
    var timeoutFirstByte: Double?

    @Option(help: ArgumentHelp("Refuse a request whose head takes longer than this; 60 by default.", valueName: "seconds"))
    var timeoutRequestHead: Double?

    @Option(
        help: ArgumentHelp("Refuse a request of whose body fewer than 512 bytes come in this time; 60 by default.", valueName: "seconds"))
    var timeoutRequestBody: Double?

    @Option(
        help: ArgumentHelp(
            "Close a connection whose client takes nothing of its answer for this long; 300 by default.", valueName: "seconds"))
    var timeoutResponseWrite: Double?

    @Option(help: ArgumentHelp("Largest head of a request, bytes; 81920 by default.", valueName: "bytes"))
    var h11MaxIncompleteEventSize: Int?

    @Option(help: ArgumentHelp("Most header fields of a request; 256 by default.", valueName: "count"))
    var h11MaxHeaderCount: Int?

    func validate() throws {
        let times = [
            ("--timeout-keep-alive", timeoutKeepAlive), ("--timeout-first-byte", timeoutFirstByte),
            ("--timeout-request-head", timeoutRequestHead),
            ("--timeout-request-body", timeoutRequestBody), ("--timeout-response-write", timeoutResponseWrite),
        ]
        for (name, seconds) in times {
            if let seconds, !(0.001...31_536_000).contains(seconds) {
                throw ValidationError("\(name) must be from 0.001 to 31536000 seconds, not \(seconds).")
            }
        }
        if let bytes = h11MaxIncompleteEventSize, !(1024...1 << 30).contains(bytes) {
            throw ValidationError("--h11-max-incomplete-event-size must be from 1024 to \(1 << 30) bytes, not \(bytes).")
        }
        if let count = h11MaxHeaderCount, !(8...100_000).contains(count) {
            throw ValidationError("--h11-max-header-count must be from 8 to 100000, not \(count).")
        }
    }

    var limits: ConnectionLimits {
        let environment = ProcessInfo.processInfo.environment["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"].flatMap { Double($0) }.flatMap {
            $0 > 0 ? $0 : nil
        }
        var limits = ConnectionLimits()
        limits.keepAlive = (timeoutKeepAlive ?? environment).map(Self.time) ?? limits.keepAlive
        limits.firstByte = timeoutFirstByte.map(Self.time) ?? limits.firstByte
        limits.head = timeoutRequestHead.map(Self.time) ?? limits.head
        limits.body = timeoutRequestBody.map(Self.time) ?? limits.body
        limits.write = timeoutResponseWrite.map(Self.time) ?? limits.write
        limits.headBytes = h11MaxIncompleteEventSize ?? limits.headBytes
        limits.headFields = h11MaxHeaderCount ?? limits.headFields
        return limits
    }

    private static func time(_ seconds: Double) -> TimeAmount { .milliseconds(Int64((min(seconds, 31_536_000) * 1000).rounded(.up))) }
}
