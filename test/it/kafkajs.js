// kafkajs 2.2.4 against a broker: admin, producer with every compression it has built in, consumer group. Usage: node kafkajs.js HOST:PORT
const { Kafka, logLevel, CompressionTypes } = require('kafkajs');
const assert = require('assert');

async function main() {
	const kafka = new Kafka({ clientId: 'walmill-test', brokers: [process.argv[2]], logLevel: logLevel.ERROR });
	const admin = kafka.admin();
	await admin.connect();
	await admin.createTopics({ topics: [{ topic: 'js', numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '86400000' }] }] });
	const described = await admin.fetchTopicMetadata({ topics: ['js'] });
	assert.strictEqual(described.topics[0].partitions.length, 2);
	const cluster = await admin.describeCluster();
	assert.strictEqual(cluster.brokers.length, 1);
	assert.strictEqual(cluster.clusterId.length, 22);
	const configs = await admin.describeConfigs({ includeSynonyms: false,
		resources: [{ type: 2, name: 'js', configNames: ['retention.ms'] }] });
	assert.strictEqual(configs.resources[0].configEntries[0].configValue, '86400000');
	console.log('kafkajs admin: ok');

	const producer = kafka.producer({ idempotent: true });
	await producer.connect();
	for (const compression of [CompressionTypes.None, CompressionTypes.GZIP])
		await producer.send({ topic: 'js', compression, acks: -1,
			messages: Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, value: `v${i}`, headers: { h: 'x' } })) });
	await producer.disconnect();
	const offsets = await admin.fetchTopicOffsets('js');
	assert.strictEqual(offsets.reduce((sum, o) => sum + Number(o.high), 0), 200);
	console.log('kafkajs producer: ok');

	const consumer = kafka.consumer({ groupId: 'js-group' });
	await consumer.connect();
	await consumer.subscribe({ topic: 'js', fromBeginning: true });
	let seen = 0;
	await new Promise((resolve, reject) => {
		setTimeout(() => reject(new Error(`only ${seen} of 200 messages came`)), 60000).unref();
		consumer.run({ eachMessage: async ({ message }) => {
			assert.strictEqual(message.headers.h.toString(), 'x');
			if (++seen === 200)
				resolve();
		} }).catch(reject);
	});
	await consumer.disconnect();
	const committed = await admin.fetchOffsets({ groupId: 'js-group', topics: ['js'] });
	assert.strictEqual(committed[0].partitions.reduce((sum, p) => sum + Number(p.offset), 0), 200);
	await admin.setOffsets({ groupId: 'js-group', topic: 'js', partitions: [{ partition: 0, offset: '0' }] });
	await admin.deleteTopicRecords({ topic: 'js', partitions: [{ partition: 0, offset: '-1' }] });
	const groups = await admin.listGroups();
	assert(groups.groups.some(g => g.groupId === 'js-group'));
	await admin.deleteGroups(['js-group']);
	await admin.createPartitions({ topicPartitions: [{ topic: 'js', count: 4 }] });
	await admin.deleteTopics({ topics: ['js'] });
	assert(!(await admin.listTopics()).includes('js'));
	await admin.disconnect();
	console.log('kafkajs consumer and groups: ok');
}

main().catch(error => { console.error(error); process.exit(1); });
