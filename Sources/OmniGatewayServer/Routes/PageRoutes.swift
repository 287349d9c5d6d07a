import HTTPTypes
import Hummingbird
import NIOCore
import OmniAPI
import OmniHTTP

/// The playground, the reference and their files.
struct PageRoutes: RouteGroup {
    let servesReference: Bool

    func add(to table: inout RouteTable) {
        let book = PageRegistry()
        var pages = [("/", "index.html", "The playground: a page to try every model.")]
        if servesReference { pages.append(("/docs", "docs.html", "This document, to read.")) }
        for (path, file, summary) in pages {
            table.add(.get, path, RouteDoc(summary, .server).answers(.text, as: "text/html")) { request, _ in
                guard let page = book.reply(file, to: request) else { throw APIError(.notFound, "This build has no page there.") }
                return page
            }
        }
        let files = RouteDoc("A file of the pages.", .server)
            .parameter("file", "Its name.").answersBytes(["text/css", "text/javascript", "image/svg+xml", "text/html"], "The file.").fails(
                .notFound)
        table.add(.get, "/pages/{file}", files) { request, context in
            let name = context.parameters.get("file") ?? ""
            guard let page = book.reply(name, to: request) else { throw APIError(.notFound, "There is no file `\(name)` here.") }
            return page
        }
    }
}
