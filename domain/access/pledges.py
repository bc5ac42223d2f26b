"""The confidentiality pledge (保密承诺书) in its current version.

A change of the text is a new version: whoever signed the old one loses ``member.collect`` at the
same moment everywhere, until the new one is signed (个人信息保护法 §51: operation privileges).
"""

from __future__ import annotations

from hashlib import sha256

VERSION = 1
TEXT = """保密承诺书

本人在工会工作中会接触会员的个人信息。为保护会员的合法权益,本人郑重承诺:

一、仅为履行工会职责采集、查询和使用会员个人信息,不超出必要范围。
二、不以任何方式向无关人员泄露、出售或者非法提供会员个人信息。
三、不私自复制、截屏、下载或者留存会员个人信息;账号和密码只由本人使用。
四、发现个人信息可能泄露、篡改、丢失的,立即停止操作并向上级工会报告。
五、离开岗位后继续承担保密义务。

本人已知悉:系统记录每一次采集和查询;违反承诺的,依照《中华人民共和国个人信息保护法》
和工会有关规定承担责任。
"""
TEXT_SHA256 = sha256(TEXT.encode()).hexdigest()
