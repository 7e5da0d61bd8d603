"""The encoding of a body: UTF-8, with or without a byte order mark (RFC 8259, section 8.1); what else it looks like is named."""

BOM = b"\xef\xbb\xbf"  # of UTF-8: .NET writes it, and RFC 8259 lets a reader pass over it
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def without_bom(body: bytes) -> bytes:
    """The body behind its byte order mark, if it has one."""
    return body.removeprefix(BOM)


def fault(body: bytes) -> str:
    """What is wrong with a body's encoding and what to do, "" for UTF-8. It names one byte and its place, no text.

    The words go on after "The body is not … in UTF-8: ".
    """
    if body.startswith(UTF_16) or b"\0" in body[:2]:
        at = 0 if body.startswith(UTF_16) else body.index(b"\0")
        form = "UTF-32" if b"\0\0" in body[:4] else "UTF-16"
        return f"{_bad(body, at)}; it looks like {form}. Encode it in UTF-8 and send it again."
    try:
        body.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return f"{_bad(body, error.start)}, and the last character is cut off. Send the whole body."
        likely = (
            "; it looks like Latin-1 or Windows-1252" if _is_one_byte_a_character(body, error.start) else ""
        )
        return f"{_bad(body, error.start)}{likely}. Encode it in UTF-8 and send it again."
    return ""


def _bad(body: bytes, at: int) -> str:
    return f"byte {at} is 0x{body[at]:02x}"


def _is_one_byte_a_character(body: bytes, at: int) -> bool:
    """Whether a bad byte stands among letters or other text as a letter of Latin-1, or a sign of Windows-1252, does."""
    beside = body[max(0, at - 1) : at] + body[at + 1 : at + 2]
    return body[at] >= 0x80 and all(
        0x20 <= byte < 0x7F or byte >= 0xC0 or byte in b"\t\r\n" for byte in beside
    )
