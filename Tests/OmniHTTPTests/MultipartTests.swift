import NIOCore
import OmniAPI
import Testing

@testable import OmniHTTP

@Suite struct MultipartTests {
    static func read(_ text: String, boundary: String = "B", limits: FormLimits = FormLimits()) throws -> Form {
        try MultipartReader(boundary: boundary, limits: limits).read(ByteBuffer(string: text))
    }

    @Test func fieldsAndFilesComeAsTheyAre() throws {
        let file: [UInt8] = [0, 13, 10, 45, 45, 66, 13, 10, 255, 0]  // holds "\r\n--B\r\n"-like bytes of another boundary
        var body = ByteBuffer(string: "preamble\r\n--Bx\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na fox ü\r\n--Bx\r\n")
        body.writeString(
            "content-disposition: form-data; filename=\"../../etc/pass;wd\\\"\"; name=image[]\r\nContent-Type: image/png\r\n\r\n")
        body.writeBytes(file)
        body.writeString("\r\n--Bx--\r\nepilogue")
        let form = try MultipartReader(boundary: "Bx").read(body)
        #expect(form.parts.map(\.name) == ["prompt", "image[]"])
        #expect(form["prompt"].first?.text == "a fox ü")
        #expect(form["image[]"].first?.fileName == "../../etc/pass;wd\"")
        #expect(form["image[]"].first?.contentType == "image/png")
        #expect(form["image[]"].first.map { Array($0.body.readableBytesView) } == file)
    }

    @Test func emptyPartsAndFormsAreRead() throws {
        #expect(try Self.read("--B--").parts.isEmpty)
        let form = try Self.read("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--B--\r\n")
        #expect(form["a"].first?.text == "")
        #expect(try form.json() == [:])
    }

    @Test func theLastOfSeveralTextsCounts() throws {
        let part = "--B\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n"
        #expect(try Self.read("\(part)1\r\n\(part)2\r\n--B--").json() == ["n": "2"])
    }

    static let broken = [
        "", "--", "nothing", "--B", "--B\r\n", "--Bnot a line end", "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nno end",
        "--B\r\nContent-Disposition: form-data; name=\"a\"", "--B\r\n\r\nno name\r\n--B--",
        "--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--B--",
        "--B\r\nno colon\r\n\r\nx\r\n--B--",
    ]

    @Test(arguments: broken) func brokenFormsAreRefused(text: String) {
        #expect { try Self.read(text) } throws: { ($0 as? APIError)?.status == 400 }
    }

    @Test func everyCutIsRefusedOrRead() throws {
        let whole = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B--"
        // Bytes, not characters: a carriage return and a line feed are one character.
        for length in 0..<whole.utf8.count {
            #expect(throws: APIError.self) { try Self.read(String(decoding: whole.utf8.prefix(length), as: UTF8.self)) }
        }
        #expect(try Self.read(whole).parts.count == 1)
    }

    @Test func limitsAreKept() {
        let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n"
        let many = String(repeating: part, count: 5) + "--B--"
        let long = "--B\r\nX: \(String(repeating: "x", count: 200))\r\n\r\nvalue\r\n--B--"
        for (text, limits) in [(many, FormLimits(parts: 4)), (long, FormLimits(headerBytes: 100)), (many, FormLimits(textBytes: 4))] {
            #expect { try Self.read(text, limits: limits) } throws: { ($0 as? APIError)?.status == 413 }
        }
    }

    @Test func urlEncodedFormsAreRead() throws {
        let form = try URLEncodedReader().read(ByteBuffer(string: "prompt=a+red%20fox%C3%BC&n=2&&x&bad=%zz%4"))
        #expect(form.parts.map(\.name) == ["prompt", "n", "x", "bad"])
        #expect(form["prompt"].first?.text == "a red foxü")
        #expect(form["bad"].first?.text == "%zz%4")
    }

    @Test func headersWithParameters() {
        let (value, parameters) = HeaderParameters.parse(#"multipart/form-data; boundary="a;b\"c" ; Charset=utf-8"#)
        #expect(value == "multipart/form-data")
        #expect(parameters == ["boundary": "a;b\"c", "charset": "utf-8"])
    }
}
