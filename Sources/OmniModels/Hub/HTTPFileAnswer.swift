import AsyncHTTPClient
import NIOHTTP1

/// The bytes of a file and where in the file they start.
struct HTTPFileAnswer {
    let body: HTTPClientResponse.Body
    /// 0 for a whole file; nil for a partial answer that does not say.
    let start: Int64?

    init(_ response: HTTPClientResponse) {
        body = response.body
        if response.status.code == 206 {
            let range = response.headers.first(name: "Content-Range") ?? ""
            start = range.wholeMatch(of: /bytes (\d+)-\d+\/(\d+|\*)/).flatMap { Int64($0.output.1) }
        } else {
            start = 0
        }
    }
}
