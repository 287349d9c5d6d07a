import OmniAPI
import Testing

@Suite struct HTTPTimeTests {
    @Test(arguments: [
        (784_111_777.0, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1_709_210_096, "Thu, 29 Feb 2024 12:34:56 GMT"), (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
    func written(seconds: Double, text: String) {
        #expect(HTTPTime(seconds: seconds).text == text)
        #expect(HTTPTime(text)?.seconds == seconds)
    }

    @Test func fractionsAndTimesOutOfRange() {
        #expect(HTTPTime(seconds: 784_111_777.9).text == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPTime(seconds: -1).text == HTTPTime(seconds: 0).text)
        #expect(HTTPTime(seconds: 1e300).text.hasSuffix("9999 23:59:59 GMT"))
    }

    @Test(arguments: [
        "", "120", "Sun, 06 Nov 1994", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT",
    ])
    func noDate(text: String) { #expect(HTTPTime(text) == nil) }
}

@Suite struct MultipartWriterTests {
    @Test func aFormAsBrowsersWriteIt() throws {
        var form = MultipartWriter()
        form.add("prompt", text: "a \"b\"\r\nc")
        form.add("im\"age", fileName: "a\r\n.png", contentType: "image/png", [0, 13, 10, 255])
        let boundary = try #require(form.contentType.split(separator: "boundary=").last)
        let expected =
            Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na \"b\"\r\nc\r\n".utf8)
            + Array(
                "--\(boundary)\r\nContent-Disposition: form-data; name=\"im%22age\"; filename=\"a%0D%0A.png\"\r\nContent-Type: image/png\r\n\r\n"
                    .utf8)
            + [0, 13, 10, 255] + Array("\r\n--\(boundary)--\r\n".utf8)
        #expect(form.body == expected)
    }
}
