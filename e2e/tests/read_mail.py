"""A mail as another program reads it: its headers, its text and its HTML, as JSON."""

import email
import email.policy
import json
import sys

with open(sys.argv[1], "rb") as file:
    mail = email.message_from_binary_file(file, policy=email.policy.default)
headers = {}
for name, value in mail.items():
    headers.setdefault(name.lower(), []).append(str(value))
part = lambda kind: mail.get_body((kind,)).get_content()
defects = [str(defect) for part in mail.walk() for defect in part.defects]
print(json.dumps({"headers": headers, "text": part("plain"), "html": part("html"), "defects": defects}))
